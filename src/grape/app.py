"""How a command gets its client, and how it runs."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

import click
from platformdirs import user_config_path

from grape import settings
from grape.errors import INTERRUPTED, LOGIN, GrapeError

if TYPE_CHECKING:
    from vintner_client import AsyncVintner

Options = ParamSpec("Options")
Body = Callable[Concatenate["AsyncVintner", Options], Coroutine[Any, Any, int | None]]


def with_client(body: Body[Options]) -> Callable[Options, None]:
    """Makes a command of a coroutine that takes a client, signed in or not.

    Args:
        body: what the command does; it may return an exit status.
    """
    return _command(body, needs_session=False)


def signed_in(body: Body[Options]) -> Callable[Options, None]:
    """As `with_client`; says how to sign in where there is no session."""
    return _command(body, needs_session=True)


def _command(body: Body[Options], *, needs_session: bool) -> Callable[Options, None]:
    @functools.wraps(body)
    def command(*args: Options.args, **kwargs: Options.kwargs) -> None:
        from vintner_client import AsyncVintner, FileStorage

        project = settings.load()
        storage = FileStorage(user_config_path("vintner") / "sessions")

        async def run() -> int | None:
            async with AsyncVintner(url=project.url, key=project.key, storage=storage) as client:
                if needs_session and client.auth.session is None:
                    raise GrapeError(f"You are not signed in to {project.url}.", LOGIN)
                return await body(client, *args, **kwargs)

        try:
            status = asyncio.run(run())
        except KeyboardInterrupt:
            status = INTERRUPTED
        if status:
            raise click.exceptions.Exit(status)

    return command
