"""The REST API of the local stack: what Supabase's clients ask of PostgREST, from PostgreSQL.

A request is parsed (`request`, `grammar`), planned against the schema cache (`plan`), written as
one SQL statement (`statement`), run as the caller's role (`database`, `pipeline`) and answered
(`response`). What PostgREST does beyond that is refused with 501 rather than answered wrongly.
"""

from __future__ import annotations

from aiohttp import web

from vintner_local.rest.database import Database
from vintner_local.rest.handler import Handler
from vintner_local.settings import ApiSettings

__all__ = ["create_app"]

MAX_BODY_BYTES = 64 * 2**20


def create_app(settings: ApiSettings) -> web.Application:
    """The REST API as an aiohttp application, to be mounted at any path.

    Args:
        settings: where the database is and what of it is exposed.
    """
    app = web.Application(client_max_size=MAX_BODY_BYTES)
    database = Database(settings.rest_dsn, settings.schemas)
    app.router.add_route("*", r"/{tail:[\s\S]*}", Handler(settings, database).answer)
    app.cleanup_ctx.append(lambda _: database.running())
    return app
