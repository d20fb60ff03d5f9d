"""A connection that sends statements to PostgreSQL in one go and takes all answers in one go.

libpq's pipeline mode is driven directly: a request then waits for its socket once, where cursors
wait at each of their steps. https://www.postgresql.org/docs/current/libpq-pipeline-mode.html
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import psycopg
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

from vintner_local.rest.statement import Statement

MOST_PREPARED = 100
CANCEL_SECONDS = 2.0
SUCCESSES = (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK)


class Connection(psycopg.AsyncConnection[Any]):
    """A connection that prepares each statement it is given, and knows it when it comes again."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._names: dict[bytes, bytes] = {}
        self._numbers = itertools.count()
        self._generation = 0

    async def pipelined(self, statements: Sequence[Statement], generation: int) -> list[PGresult]:
        """Runs statements, which are one transaction unless they say otherwise.

        If it is left before all answers are there, the connection is of no use and closed.

        Args:
            statements: none is run once one before it has failed.
            generation: of the database's schema; what was prepared under another one is forgotten,
                since the types of its parameters may have changed.

        Returns:
            The result of each.

        Raises:
            psycopg.Error: PostgreSQL refused one, or the connection was lost.
            UnicodeError: a text is none that PostgreSQL can hold.
        """
        if len(self._names) > MOST_PREPARED or self._generation != generation:
            await self.execute("DEALLOCATE ALL")
            self._names.clear()
            self._generation = generation
        sent = [(_encoded(s.text), [_encoded(value) for value in s.values]) for s in statements]
        try:
            results = await self._exchange(sent)
        except asyncio.CancelledError:
            with suppress(psycopg.Error):
                await self.cancel_safe(timeout=CANCEL_SECONDS)
            raise
        finally:
            if self.pgconn.pipeline_status:
                await self.close()
        for result in results:
            if result.status not in SUCCESSES:
                raise psycopg.errors.error_from_result(result)
        return results

    async def _exchange(self, statements: list[tuple[bytes, list[bytes]]]) -> list[PGresult]:
        self.pgconn.enter_pipeline_mode()
        names = [
            self._names.get(text) or b"rest_%d" % next(self._numbers) for text, _ in statements
        ]
        for name, (text, values) in zip(names, statements, strict=True):
            if text not in self._names:
                self.pgconn.send_prepare(name, text)
            self.pgconn.send_query_prepared(name, values)
        self.pgconn.pipeline_sync()
        while self.pgconn.flush():
            await self._ready(to_write=True)
            self.pgconn.consume_input()
        results = []
        for name, (text, _) in zip(names, statements, strict=True):
            result = await self._result()
            if text not in self._names:
                executed = await self._result()
                if result.status in SUCCESSES:
                    self._names[text], result = name, executed
            results.append(result)
        await self._result()
        self.pgconn.exit_pipeline_mode()
        return results

    async def _result(self) -> PGresult:
        """The next command's result; it ends with a None, but that of the sync does not."""
        found = None
        while True:
            while self.pgconn.is_busy():
                await self._ready()
                self.pgconn.consume_input()
            result = self.pgconn.get_result()
            if result is None and found is not None:
                return found
            found = result or found
            if found and found.status == ExecStatus.PIPELINE_SYNC:
                return found

    async def _ready(self, *, to_write: bool = False) -> None:
        loop, socket = asyncio.get_running_loop(), self.pgconn.socket
        ready = asyncio.Event()
        loop.add_reader(socket, ready.set)
        if to_write:
            loop.add_writer(socket, ready.set)
        try:
            await ready.wait()
        finally:
            loop.remove_reader(socket)
            if to_write:
                loop.remove_writer(socket)


def _encoded(text: str) -> bytes:
    if "\0" in text:
        raise UnicodeError("PostgreSQL's texts hold no zero bytes")
    return text.encode()
