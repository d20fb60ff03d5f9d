"""Database sessions that speak as users, and races between two of them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, LiteralString
from uuid import UUID

import psycopg

Connection = psycopg.Connection[Any]


def act_as(connection: Connection, user_id: UUID) -> None:
    """Makes a session speak as this user until it closes, as the Data API does per request."""
    claims = json.dumps({"sub": str(user_id), "role": "authenticated"})
    connection.execute("select set_config('request.jwt.claims', %s, false)", [claims])
    connection.execute("set role authenticated")


def value(connection: Connection, query: LiteralString, *args: object) -> Any:
    """The one value that a query gives."""
    row = connection.execute(query, args).fetchone()
    assert row is not None
    return row[0]


def code(error: psycopg.Error) -> str | None:
    """The code of the rule that raised it, or the SQLSTATE."""
    state = error.sqlstate or ""
    return error.diag.message_detail if state.startswith("PT") else state


def until_blocked(admin: Connection, session: Connection, call: Future[Any]) -> None:
    """Waits until a session waits for another, or its call is through."""
    blocked: LiteralString = "select cardinality(pg_blocking_pids(%s)) > 0"
    while not call.done() and not value(admin, blocked, session.info.backend_pid):
        time.sleep(0.005)


def race(
    admin: Connection,
    first: Connection,
    second: Connection,
    act: Callable[[Connection], object],
    then: Callable[[Connection], object] | None = None,
    at_last: Callable[[Connection], object] | None = None,
) -> psycopg.Error | None:
    """Lets a second session act while a first one has acted but not committed.

    Returns once both are through: the second has waited for the first, which then committed.

    Args:
        admin: looks on.
        first: in a transaction, not in autocommit.
        second: the one that comes too late.
        act: what the first does.
        then: what the second does; the same by default.
        at_last: what the first does while the second waits.

    Returns:
        What the second ended with.
    """
    act(first)
    pid = second.info.backend_pid

    def follow() -> psycopg.Error | None:
        try:
            (then or act)(second)
            second.commit()
        except psycopg.Error as error:
            second.rollback()
            return error
        return None

    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(follow)
        try:
            deadline = time.monotonic() + 10
            while not value(admin, "select cardinality(pg_blocking_pids(%s)) > 0", pid):
                assert not late.done(), "the second session did not wait for the first"
                assert time.monotonic() < deadline, "the second session hangs elsewhere"
                time.sleep(0.005)
            if at_last:
                at_last(first)
        finally:
            first.commit()
        return late.result()
