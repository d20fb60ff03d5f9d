"""The aiohttp application: handshakes, and the life of the server behind them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web

from vintner_local.realtime import http_broadcast, tokens
from vintner_local.realtime.frames import SERIALIZERS, dumps
from vintner_local.realtime.limits import Limits
from vintner_local.realtime.server import RealtimeServer
from vintner_local.realtime.socket import Socket
from vintner_local.realtime.tokens import TokenError
from vintner_local.settings import SETTINGS, ApiSettings

_SERVER: web.AppKey[RealtimeServer] = web.AppKey("server", RealtimeServer)


_SOCKETS: web.AppKey[list[Socket]] = web.AppKey("sockets", list)


def create_app(settings: ApiSettings, limits: Limits | None = None) -> web.Application:
    """Realtime as an aiohttp application, to be mounted at `/realtime/v1`.

    Args:
        settings: where the database is and which keys hold.
        limits: bounds of a connection; the real server's by default.
    """
    app = web.Application(client_max_size=5_000_000)
    app[SETTINGS] = settings
    app[_SERVER] = RealtimeServer(settings, limits or Limits())
    app[_SOCKETS] = []
    app.router.add_get("/websocket", _websocket)
    app.router.add_post("/api/broadcast", _broadcast)
    app.router.add_post("/api/broadcast/{topic}/events/{event}", _broadcast_one)
    app.cleanup_ctx.append(_run_server)
    app.on_shutdown.append(_close_sockets)
    return app


async def _run_server(app: web.Application) -> AsyncIterator[None]:
    async with app[_SERVER].running():
        yield


async def _close_sockets(app: web.Application) -> None:
    sockets = app[_SOCKETS]
    closing = (socket.close_for_restart() for socket in list(sockets))
    await asyncio.gather(*closing, return_exceptions=True)


async def _broadcast(request: web.Request) -> web.Response:
    return await http_broadcast.broadcast(request.app[_SERVER], request)


async def _broadcast_one(request: web.Request) -> web.Response:
    return await http_broadcast.broadcast_one(request.app[_SERVER], request)


async def _websocket(request: web.Request) -> web.StreamResponse:
    server = request.app[_SERVER]
    serializer = SERIALIZERS.get(request.query.get("vsn", "1.0.0"))
    if serializer is None:
        return web.Response(status=403)
    apikey = request.headers.get("x-api-key") or request.query.get("apikey")
    if not apikey:
        return await _refuse(server, "API key is missing")
    try:
        token = tokens.verify(server.keys, apikey)
    except TokenError as error:
        return await _refuse(server, error.at_connect)
    websocket = web.WebSocketResponse(
        max_msg_size=server.limits.frame_bytes, compress=False, timeout=1.0
    )
    await websocket.prepare(request)
    transport = request.transport
    cut = transport.abort if transport is not None else websocket.force_close
    socket = Socket(server, serializer, token.text, websocket, cut)
    sockets = request.app[_SOCKETS]
    sockets.append(socket)
    try:
        await socket.run()
    finally:
        sockets.remove(socket)
    return websocket


async def _refuse(server: RealtimeServer, reason: str) -> web.Response:
    await asyncio.sleep(server.waits.connect_error)
    return web.json_response({"error": reason}, status=401, dumps=dumps)
