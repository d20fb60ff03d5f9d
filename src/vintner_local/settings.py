"""What the API process is told when it starts."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict

from vintner_local.keys import Keys

RealtimeDelay = Literal["0", "real"]


class FunctionsSettings(BaseModel):
    """Where a project's Edge Functions are, and what runs them.

    Attributes:
        folder: holds a folder with `index.ts` for each function.
        deno: the program that runs them.
        cache: where Deno keeps what it fetches.
        log: the file their output is added to.
        db_url: the database they are given.
        unverified: functions that anybody may call, without a key.
    """

    model_config = ConfigDict(frozen=True)

    folder: Path
    deno: Path
    cache: Path
    log: Path
    db_url: str
    unverified: tuple[str, ...] = ()


class PostgrestSettings(BaseModel):
    """A real PostgREST that answers in place of our own REST API.

    Attributes:
        program: the executable.
        log: the file its output is added to; None for our own standard error.
    """

    model_config = ConfigDict(frozen=True)

    program: Path
    log: Path | None = None


class ApiSettings(BaseModel):
    """Settings of one API process; shared by the gateway and the parts behind it.

    Attributes:
        public_url: where clients reach the API, without a trailing slash.
        rest_dsn: connects as `authenticator` (or any role that may SET ROLE to the API roles).
        auth_dsn: connects as `supabase_auth_admin`, which owns the schema `auth`.
        realtime_dsn: connects as `supabase_admin`, which may replicate.
        schemas: the exposed schemas; the first is the default one.
        extra_search_path: schemas that follow the request's own in the search path.
        max_rows: the most rows a REST answer holds.
        safe_update: whether REST refuses an UPDATE or DELETE without a filter, as Supabase does.
        keys: the stack's keys.
        jwt_expiry: how long an access token holds, in seconds.
        realtime_delay: "0" delivers at once, "real" waits as a hosted server does (10 to 510 ms).
        functions: the project's Edge Functions; None for an API without a project.
        postgrest: a real PostgREST to use; None for our own REST API.
    """

    model_config = ConfigDict(frozen=True)

    public_url: str
    rest_dsn: str
    auth_dsn: str
    realtime_dsn: str
    schemas: tuple[str, ...] = ("public",)
    extra_search_path: tuple[str, ...] = ("public", "extensions")
    max_rows: int = 1000
    safe_update: bool = True
    keys: Keys
    jwt_expiry: int = 3600
    realtime_delay: RealtimeDelay = "0"
    functions: FunctionsSettings | None = None
    postgrest: PostgrestSettings | None = None


SETTINGS: web.AppKey[ApiSettings] = web.AppKey("settings", ApiSettings)
"""Every sub-application finds its settings under this key."""

BEARER = web.RequestKey("bearer", str)
"""The JWT a request speaks with: its own, or the one that its API key stands for."""
