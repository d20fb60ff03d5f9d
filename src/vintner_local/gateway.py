"""The front door: one port, the API key check, CORS, and the parts mounted behind it.

The answers to a missing or wrong key are those of Supabase's own gateway.
"""

from __future__ import annotations

import asyncio
import socket
import uuid
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from vintner_local import auth, functions, postgrest, realtime, rest
from vintner_local.keys import is_opaque
from vintner_local.settings import BEARER, SETTINGS, ApiSettings

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

NO_KEY = {
    "message": "No API key found in request",
    "hint": "No `apikey` request header or url param was found.",
}
WRONG_KEY = {
    "message": "Invalid API key",
    "hint": "Double check your Supabase `anon` or `service_role` API key.",
}
NO_TEXT = {"message": "A header is not UTF-8"}
OPEN_PATHS = ("/health", "/auth/v1/health", "/auth/v1/.well-known/jwks.json")
"""Reached without a key."""
OWN_CHECKS = ("/realtime/v1/", "/functions/v1/")
"""Checked by the parts themselves, in their protocols' own words."""

OWN_CORS = "/functions/v1/"
"""A function answers browsers' preflights itself, as on the platform."""

NOT_COVERED = {"storage": "Storage", "graphql": "GraphQL", "analytics": "Analytics"}
"""Parts of Supabase that are not here, by the first step of their paths."""

LONGEST_LINE = 2**16
"""Bytes of a URL or header; a filter that lists a thousand ids fits in."""

CORS_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
CORS_ANSWER = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": (
        "Content-Range, Content-Location, Location, Range-Unit, X-Supabase-Api-Version, "
        "X-Total-Count, Link"
    ),
}


def create_app(settings: ApiSettings) -> web.Application:
    """The whole API as one aiohttp application.

    Args:
        settings: where the database is and which keys hold.
    """
    app = web.Application(middlewares=[_cors, _api_key], client_max_size=64 * 2**20)
    app[SETTINGS] = settings
    app.router.add_get("/health", _health)
    real_or_own = postgrest if settings.postgrest else rest
    app.add_subapp("/rest/v1", real_or_own.create_app(settings))
    app.add_subapp("/auth/v1", auth.create_app(settings))
    app.add_subapp("/realtime/v1", realtime.create_app(settings))
    app.add_subapp("/functions/v1", functions.create_app(settings))
    for part in NOT_COVERED:
        app.router.add_route("*", f"/{{part:{part}}}/v1{{tail:(/.*)?}}", _refuse)
    return app


async def _refuse(request: web.Request) -> web.Response:
    feature = NOT_COVERED[request.match_info["part"]]
    message = f"{feature} is not part of the local stack: use `supabase start`"
    return web.json_response({"message": message}, status=501)


async def _health(_: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


@web.middleware
async def _api_key(request: web.Request, handler: Handler) -> web.StreamResponse:
    if not _are_text(request.headers):
        return web.json_response(NO_TEXT, status=400)
    if request.path in OPEN_PATHS or request.path.startswith(OWN_CHECKS):
        return await handler(request)
    apikey = request.headers.get("apikey") or request.query.get("apikey")
    if not apikey:
        return web.json_response(NO_KEY, status=401)
    role_token = request.app[SETTINGS].keys.token_for(apikey)
    if role_token is None:
        return web.json_response(WRONG_KEY, status=401)
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    own = token.strip() if scheme.lower() == "bearer" else ""
    request[BEARER] = own if own and not is_opaque(own) else role_token
    return await handler(request)


def _are_text(headers: Mapping[str, str]) -> bool:
    """Whether every value was UTF-8; what was not can be stored or compared nowhere."""
    try:
        "".join(headers.values()).encode()
    except UnicodeEncodeError:
        return False
    return True


@web.middleware
async def _cors(request: web.Request, handler: Handler) -> web.StreamResponse:
    if request.path.startswith(OWN_CORS):
        return await handler(request)
    if request.method == "OPTIONS" and "access-control-request-method" in request.headers:
        response: web.StreamResponse = web.Response(status=200)
        asked = request.headers.get("access-control-request-headers", "*")
        response.headers["Access-Control-Allow-Methods"] = CORS_METHODS
        response.headers["Access-Control-Allow-Headers"] = asked
        response.headers["Access-Control-Max-Age"] = "3600"
    else:
        try:
            response = await handler(request)
        except web.HTTPException as refusal:
            refusal.headers.update(CORS_ANSWER)
            raise
    if not response.prepared:
        response.headers["sb-request-id"] = str(uuid.uuid4())
        response.headers.update(CORS_ANSWER)
    return response


async def serve(settings: ApiSettings, listening: socket.socket) -> None:
    """Serves the API until the task is cancelled.

    Args:
        settings: see `create_app`.
        listening: where it is reached.
    """
    runner = web.AppRunner(
        create_app(settings),
        access_log=None,
        shutdown_timeout=2.0,
        max_line_size=LONGEST_LINE,
        max_field_size=LONGEST_LINE,
    )
    await runner.setup()
    try:
        await web.SockSite(runner, listening).start()
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()
