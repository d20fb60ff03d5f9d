"""The aiohttp application in front of the functions: who may call one, and passing it on.

The refusals are those of Supabase's own platform.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import aiohttp
import jwt
from aiohttp import web

from vintner_local.child_server import NotServingError
from vintner_local.functions.runtime import FunctionRuntime
from vintner_local.keys import Keys, is_opaque
from vintner_local.passing_on import answer_of, client, give_back
from vintner_local.settings import SETTINGS, ApiSettings

MOUNTED_AT = "/functions/v1"
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
"""What Supabase lets a function be called; a folder like `_shared` is none."""

ANSWER_SECONDS = 150.0
"""How long a function may take to begin its answer, as on the platform."""

_RUNTIME: web.AppKey[FunctionRuntime] = web.AppKey("runtime", FunctionRuntime)
_CLIENT: web.AppKey[aiohttp.ClientSession] = web.AppKey("client", aiohttp.ClientSession)


def create_app(settings: ApiSettings) -> web.Application:
    """The functions as an aiohttp application, to be mounted at `/functions/v1`.

    Args:
        settings: without `functions` in them no function is there.
    """
    app = web.Application()
    app[SETTINGS] = settings
    app.router.add_route("*", r"/{tail:[\s\S]*}", _answer)
    app.cleanup_ctx.append(_run)
    return app


async def _run(app: web.Application) -> AsyncIterator[None]:
    settings = app[SETTINGS]
    if settings.functions is None:
        yield
        return
    runtime = app[_RUNTIME] = FunctionRuntime(settings, settings.functions)
    async with client() as session:
        app[_CLIENT] = session
        yield
        await runtime.close()


async def _answer(request: web.Request) -> web.StreamResponse:
    settings = request.app[SETTINGS]
    path = request.rel_url.raw_path.partition(MOUNTED_AT)[2]
    name = path.removeprefix("/").partition("/")[0]
    runtime = request.app.get(_RUNTIME)
    entry = runtime.entry(name) if runtime is not None and NAME.fullmatch(name) else None
    if runtime is None or entry is None or settings.functions is None:
        return _refusal(404, "NOT_FOUND", "Requested function was not found")
    if request.headers.get("upgrade", "").lower() == "websocket":
        return _refusal(
            501,
            "NOT_COVERED",
            "WebSockets to functions are not covered by the local stack: use `supabase start`",
        )
    token = _token(request.headers, settings.keys)
    if request.method != "OPTIONS" and name not in settings.functions.unverified:
        if not token:
            return _refusal(401, "UNAUTHORIZED_NO_AUTH_HEADER", "Missing authorization header")
        if not _is_valid(token, settings.keys):
            return _refusal(401, "UNAUTHORIZED_INVALID_JWT_FORMAT", "Invalid JWT")
    return await _call(request, runtime, path, entry, token)


async def _call(
    request: web.Request, runtime: FunctionRuntime, path: str, entry: Path, token: str
) -> web.StreamResponse:
    name = entry.parent.name
    try:
        port = await runtime.port(name, entry)
    except NotServingError:
        return _refusal(503, "BOOT_ERROR", "Function failed to start (please check logs)")
    headers = {
        "Authorization": f"Bearer {token}" if token else "",
        "X-Forwarded-Host": request.host,
        "X-Forwarded-Proto": request.scheme,
        "X-Forwarded-For": request.remote or "",
    }
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            answer = await answer_of(request.app[_CLIENT], request, port, path, headers)
    except TimeoutError:
        await runtime.end(name)
        return _refusal(504, "IDLE_TIMEOUT", "Function took too long to answer (please check logs)")
    except aiohttp.ClientError:
        return _refusal(500, "WORKER_ERROR", "Function exited due to an error (please check logs)")
    return await give_back(request, answer)


def _refusal(status: int, code: str, message: str) -> web.Response:
    return web.json_response(
        {"code": code, "message": message},
        status=status,
        headers={"sb-error-code": code, "Access-Control-Allow-Origin": "*"},
    )


def _token(headers: Mapping[str, str], keys: Keys) -> str:
    """The JWT of a request: its own, or the one that its API key stands for."""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    own = given.strip() if scheme.lower() == "bearer" else ""
    if own and not is_opaque(own):
        return own
    return keys.token_for(own or headers.get("apikey", "")) or ""


def _is_valid(token: str, keys: Keys) -> bool:
    try:
        jwt.decode(token, keys.jwt_secret, ["HS256"], options={"verify_aud": False})
    except jwt.InvalidTokenError:
        return False
    return True
