"""Serves one request: who asks, what for, the statement, and the answer made of its row."""

from __future__ import annotations

import json

import psycopg
from aiohttp import web

from vintner_local.rest.database import Database
from vintner_local.rest.errors import RestError, failure, from_postgres
from vintner_local.rest.plan import Call, Plan, make_plan
from vintner_local.rest.request import parse_request
from vintner_local.rest.response import check, needs_check, respond
from vintner_local.rest.schema import Schema
from vintner_local.rest.select_sql import listed
from vintner_local.rest.statement import Statement, answer_statement
from vintner_local.rest.tokens import ANONYMOUS, Caller, Tokens
from vintner_local.settings import BEARER, ApiSettings

STALE_CACHE = ("PGRST200", "PGRST202", "PGRST204", "PGRST205")
"""Errors that a schema cache from before a migration gives."""


class Handler:
    """Answers requests below the API's root.

    Args:
        settings: the API's settings.
        database: where statements run.
    """

    def __init__(self, settings: ApiSettings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._tokens = Tokens(settings.keys.jwt_secret)

    async def answer(self, http: web.Request) -> web.Response:
        """Answers one request; what goes wrong is answered in PostgREST's shape."""
        caller = None
        try:
            caller = self._tokens.caller(_token(http))
            return await self._answer(http, caller)
        except RestError as error:
            answer = error
        except RecursionError:
            answer = failure("PGRST100", "The query parameters are nested too deeply")
        except UnicodeError:
            answer = failure("22021")
        except psycopg.Error as error:
            answer = from_postgres(error, caller is not None and caller.role != ANONYMOUS)
        headers = {"Content-Type": "application/json; charset=utf-8", **answer.headers}
        return web.Response(status=answer.status, body=answer.body(), headers=headers)

    async def _answer(self, http: web.Request, caller: Caller) -> web.Response:
        resource = http.match_info.route.resource
        mounted_at = resource.canonical.removesuffix("/{tail}") if resource else ""
        path = http.rel_url.raw_path.removeprefix(mounted_at)
        request = parse_request(http, path, await http.read(), self._settings.schemas)
        schema = await self._database.schema()
        limits = self._settings.max_rows, self._settings.safe_update
        try:
            plan = make_plan(request, schema, *limits)
        except RestError as error:
            if error.code not in STALE_CACHE:
                raise
            schema = await self._database.reload()
            plan = make_plan(request, schema, *limits)
        row = await self._database.run(
            self._session(http, path, caller, plan, schema),
            answer_statement(plan),
            read_only=plan.is_read_only,
            check=(lambda row: check(row, request)) if needs_check(request) else None,
        )
        return respond(plan, row, names_schema=len(self._settings.schemas) > 1)

    def _session(
        self, http: web.Request, path: str, caller: Caller, plan: Plan, schema: Schema
    ) -> Statement:
        """Sets what a request runs with, in this order."""
        search_path = (plan.request.name[0], *self._settings.extra_search_path)
        headers = {k.lower(): v for k, v in http.headers.items() if k.lower() != "cookie"}
        values = {
            "search_path": listed(search_path),
            **schema.role_settings.get(caller.role, {}),
            "role": caller.role,
            "request.jwt.claims": caller.claims,
            "request.method": plan.request.method,
            "request.path": path,
            "request.headers": json.dumps(headers),
            "request.cookies": json.dumps(dict(http.cookies)),
        }
        if isinstance(plan.source, Call) and plan.source.function.statement_timeout:
            values["statement_timeout"] = plan.source.function.statement_timeout
        if plan.is_read_only:
            values["transaction_read_only"] = "on"
        calls = (f"set_config(${2 * i + 1}, ${2 * i + 2}, true)" for i in range(len(values)))
        pairs = tuple(text for pair in values.items() for text in pair)
        return Statement(f"SELECT {', '.join(calls)}", pairs)


def _token(http: web.Request) -> str | None:
    """The bearer token; the gateway's, where it has put one in place of the API key."""
    if BEARER in http:
        return http[BEARER]
    scheme, _, token = http.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
