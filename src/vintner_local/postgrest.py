"""A real PostgREST behind `/rest/v1`, where the machine has one.

Its configuration is in its environment, which other users cannot read as they can a command line.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
from aiohttp import web

from vintner_local.child_server import ChildServer, NotServingError
from vintner_local.errors import StackError
from vintner_local.passing_on import answer_of, client, give_back
from vintner_local.ports import HOST
from vintner_local.settings import BEARER, SETTINGS, ApiSettings

VARIABLE = "POSTGREST_BIN"
PROGRAM = "postgrest"
UNREACHABLE = {"message": "An invalid response was received from the upstream server"}

_SERVER: web.AppKey[ChildServer] = web.AppKey("server", ChildServer)
_CLIENT: web.AppKey[aiohttp.ClientSession] = web.AppKey("client", aiohttp.ClientSession)


def find_program() -> Path | None:
    """The PostgREST of this machine: the one that `POSTGREST_BIN` names, or one on PATH.

    Raises:
        StackError: `POSTGREST_BIN` names no program.
    """
    named = os.environ.get(VARIABLE)
    found = shutil.which(named or PROGRAM)
    if named and found is None:
        raise StackError(f"{VARIABLE} is {named}, which is no program: correct or unset it")
    return Path(found).resolve() if found else None


def create_app(settings: ApiSettings) -> web.Application:
    """PostgREST as an aiohttp application, to be mounted behind the gateway's key check.

    Args:
        settings: with `postgrest` in them.
    """
    app = web.Application()
    app[SETTINGS] = settings
    app.router.add_route("*", r"/{tail:[\s\S]*}", _answer)
    app.cleanup_ctx.append(_run)
    return app


async def _run(app: web.Application) -> AsyncIterator[None]:
    settings = app[SETTINGS]
    assert settings.postgrest is not None
    command = (str(settings.postgrest.program),)
    server = app[_SERVER] = ChildServer(
        lambda _: command, lambda port: _environment(settings, port), settings.postgrest.log
    )
    async with client() as session:
        app[_CLIENT] = session
        yield
        await server.stop()


async def _answer(request: web.Request) -> web.StreamResponse:
    path = request.rel_url.raw_path.partition("/rest/v1")[2]
    headers = {"Authorization": f"Bearer {request[BEARER]}", "apikey": ""}
    try:
        port = await request.app[_SERVER].port()
        answer = await answer_of(request.app[_CLIENT], request, port, path, headers)
    except (NotServingError, aiohttp.ClientError):
        return web.json_response(UNREACHABLE, status=502)
    return await give_back(request, answer)


def _environment(settings: ApiSettings, port: int) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return {
        **kept,
        "PGRST_DB_URI": settings.rest_dsn,
        "PGRST_DB_SCHEMAS": ",".join(settings.schemas),
        "PGRST_DB_EXTRA_SEARCH_PATH": ",".join(settings.extra_search_path),
        "PGRST_DB_MAX_ROWS": str(settings.max_rows),
        "PGRST_DB_ANON_ROLE": "anon",
        "PGRST_JWT_SECRET": settings.keys.jwt_secret,
        "PGRST_SERVER_HOST": HOST,
        "PGRST_SERVER_PORT": str(port),
        "PGRST_OPENAPI_SERVER_PROXY_URI": f"{settings.public_url}/rest/v1",
    }
