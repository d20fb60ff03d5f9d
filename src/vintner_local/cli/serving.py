"""The command that runs the API alone."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import get_args

import click

from vintner_local import postgrest
from vintner_local.env_file import render
from vintner_local.errors import StackError
from vintner_local.keys import Keys
from vintner_local.ports import HOST, PortTakenError, listen
from vintner_local.settings import ApiSettings, PostgrestSettings, RealtimeDelay

SHORTEST_SECRET = 32


@click.command()
@click.option(
    "--db-url",
    required=True,
    envvar="VINTNER_DB_URL",
    show_envvar=True,
    help="A prepared PostgreSQL, as a role that may SET ROLE to the API roles.",
)
@click.option("--schemas", default="public", show_default=True, help="Exposed, first is default.")
@click.option("--port", type=click.IntRange(0, 65535), default=54321, show_default=True)
@click.option(
    "--jwt-secret",
    envvar="VINTNER_JWT_SECRET",
    show_envvar=True,
    help="HS256 secret of at least 32 characters [default: a random one].",
)
@click.option(
    "--jwt-secret-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A file that holds the secret; a command line is seen by other users.",
)
@click.option("--realtime-delay", type=click.Choice(get_args(RealtimeDelay)), default="0")
def serve(
    db_url: str,
    schemas: str,
    port: int,
    jwt_secret: str | None,
    jwt_secret_file: Path | None,
    realtime_delay: RealtimeDelay,
) -> None:
    """Run the API in front of any prepared PostgreSQL, and print its keys."""
    from vintner_local.gateway import serve as serve_api  # the other commands start faster

    if jwt_secret_file is not None:
        jwt_secret = jwt_secret_file.read_text(encoding="utf-8").strip()
    if jwt_secret is not None and len(jwt_secret) < SHORTEST_SECRET:
        raise click.UsageError(f"the JWT secret has fewer than {SHORTEST_SECRET} characters")
    exposed = tuple(name.strip() for name in schemas.split(",") if name.strip())
    if not exposed:
        raise click.UsageError("--schemas names no schema")
    try:
        listening = listen(port)
    except PortTakenError as error:
        raise StackError(f"{error}: choose another one with --port, 0 for any") from error
    port = listening.getsockname()[1]
    keys, real = Keys.generate(jwt_secret), postgrest.find_program()
    settings = ApiSettings(
        public_url=f"http://{HOST}:{port}",
        rest_dsn=db_url,
        auth_dsn=db_url,
        realtime_dsn=db_url,
        schemas=exposed,
        keys=keys,
        realtime_delay=realtime_delay,
        postgrest=PostgrestSettings(program=real) if real else None,
    )
    variables = {
        "SUPABASE_URL": settings.public_url,
        "SUPABASE_PUBLISHABLE_KEY": keys.publishable,
        "SUPABASE_SECRET_KEY": keys.secret,
        "SUPABASE_JWT_SECRET": keys.jwt_secret,
    }
    click.echo(render(variables), nl=False)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    asyncio.run(_until_told_to_end(serve_api(settings, listening)))


async def _until_told_to_end(serving: Coroutine[None, None, None]) -> None:
    task = asyncio.ensure_future(serving)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with suppress(asyncio.CancelledError):
        await task
