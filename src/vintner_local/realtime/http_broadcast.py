"""Broadcasts sent by HTTP, which clients use without a joined channel.

Messages go to `/api/broadcast`, a single one to `/api/broadcast/TOPIC/events/EVENT`.
"""

from __future__ import annotations

from typing import Any

import psycopg
from aiohttp import web
from psycopg_pool import PoolTimeout
from pydantic import BaseModel, JsonValue, ValidationError

from vintner_local.realtime import tokens
from vintner_local.realtime.authorization import read_rights
from vintner_local.realtime.frames import UserBroadcast, dumps, loads
from vintner_local.realtime.server import RealtimeServer
from vintner_local.realtime.tokens import Token, TokenError

_NO_KEY = "API key is missing"


class _Message(BaseModel):
    topic: str
    event: str
    payload: dict[str, JsonValue]
    private: bool = False


class _Batch(BaseModel):
    messages: list[_Message]


async def broadcast(server: RealtimeServer, request: web.Request) -> web.Response:
    """Sends messages to the channels of their topics.

    Args:
        server: knows the channels.
        request: `{"messages": [{"topic", "event", "payload", "private"}]}` with an API key in
            `apikey`, and the user's JWT as bearer.

    Returns:
        202 without a body; 401 without a valid key; 422 for a malformed body. A private message
        that the policies do not let the user send is dropped without a word.
    """
    try:
        token = _sender(server, request)
        batch = _Batch.model_validate(loads((await request.read()).decode()))
    except TokenError as error:
        return web.json_response({"error": error.at_connect}, status=401)
    except ValueError as error:
        return _malformed(error)
    for message in batch.messages:
        if not message.private or await _may_send(server, message.topic, token):
            sent = UserBroadcast(message.event, dumps(message.payload).encode())
            server.hub.broadcast((message.topic, message.private), sent)
    return web.Response(status=202)


async def broadcast_one(server: RealtimeServer, request: web.Request) -> web.Response:
    """Sends the body, JSON or bytes, to the channels of the topic in the path.

    Args:
        server: knows the channels.
        request: `?private=true` speaks to the private channel.

    Returns:
        202 without a body; 401 without a valid key; 403 where the policies do not let the user
        send; 415 for another content type; 422 for malformed JSON.
    """
    topic, private = request.match_info["topic"], request.query.get("private") == "true"
    body, is_json = await request.read(), request.content_type == "application/json"
    try:
        token = _sender(server, request)
        payload = dumps(loads(body.decode())).encode() if is_json else body
    except TokenError as error:
        return web.json_response({"error": error.at_connect}, status=401)
    except ValueError as error:
        return _malformed(error)
    if not is_json and request.content_type != "application/octet-stream":
        return web.json_response({"message": "Unsupported Media Type"}, status=415)
    if private and not await _may_send(server, topic, token):
        return web.json_response({"message": "Unauthorized"}, status=403)
    sent = UserBroadcast(request.match_info["event"], payload, is_json)
    server.hub.broadcast((topic, private), sent)
    return web.Response(status=202)


def _sender(server: RealtimeServer, request: web.Request) -> Token:
    key = request.headers.get("apikey") or request.headers.get("x-api-key") or ""
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    own = bearer.strip() if scheme.lower() == "bearer" else ""
    if not key and not own:
        raise TokenError(_NO_KEY, _NO_KEY, _NO_KEY)
    if key:
        tokens.verify(server.keys, key)
    return tokens.verify(server.keys, own or key)


def _malformed(error: ValueError) -> web.Response:
    details: list[Any] = [{"msg": str(error)}]
    if isinstance(error, ValidationError):
        details = [*error.errors(include_url=False, include_context=False, include_input=False)]
    return web.json_response({"errors": details}, status=422, dumps=dumps)


async def _may_send(server: RealtimeServer, topic: str, token: Token) -> bool:
    try:
        async with server.connection() as connection:
            return (await read_rights(connection, topic, token)).write["broadcast"]
    except (psycopg.Error, PoolTimeout):
        return False
