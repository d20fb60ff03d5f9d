"""A connection that sends statements to PostgreSQL in one go and takes all answers in one go.

libpq's pipeline mode is driven by psycopg's own generators: a request then waits for its socket
once, where cursors wait at each of their steps.
https://www.postgresql.org/docs/current/libpq-pipeline-mode.html
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import psycopg
from psycopg.abc import PQGen
from psycopg.generators import fetch_many, send
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn, PGresult

from vintner_local.rest.statement import Statement

MOST_PREPARED = 100


class Connection(psycopg.AsyncConnection[Any]):
    """A connection that prepares each statement it is given, and knows it when it comes again."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._names: dict[bytes, bytes] = {}
        self._numbers = itertools.count()
        self._generation = 0

    async def pipelined(self, statements: Iterable[Statement], generation: int) -> list[PGresult]:
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
        encoded = [(_encoded(s.text), [_encoded(value) for value in s.values]) for s in statements]
        unknown = (text for text, _ in encoded if text not in self._names)
        fresh = {text: b"rest_%d" % next(self._numbers) for text in unknown}
        self.pgconn.enter_pipeline_mode()
        try:
            for text, values in encoded:
                if text in fresh:
                    self.pgconn.send_prepare(fresh[text], text)
                name = fresh.get(text) or self._names[text]
                self.pgconn.send_query_prepared(name, values)
            self.pgconn.pipeline_sync()
            answers = iter(await self.wait(_exchanged(self.pgconn, len(encoded) + len(fresh) + 1)))
            self.pgconn.exit_pipeline_mode()
        finally:
            if self.pgconn.pipeline_status:
                await self.close()
        results = []
        for text, _ in encoded:
            if text in fresh:
                _succeeded(next(answers))
                self._names[text] = fresh[text]
            results.append(_succeeded(next(answers)))
        return results


def _exchanged(pgconn: PGconn, answers: int) -> PQGen[list[PGresult]]:
    results: list[PGresult] = []
    yield from send(pgconn)
    for _ in range(answers):
        results += yield from fetch_many(pgconn)
    return results


def _succeeded(result: PGresult) -> PGresult:
    if result.status not in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
        raise psycopg.errors.error_from_result(result)
    return result


def _encoded(text: str) -> bytes:
    if "\0" in text:
        raise UnicodeError("PostgreSQL's texts hold no zero bytes")
    return text.encode()
