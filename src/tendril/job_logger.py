"""Carries a job's output to the control plane: masked, in chunks and in order.

An outage costs no chunk. A batch that the API refuses, or fails at again and again, is dropped: a
log must never fail the work that it reports.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tendril.masking import Masker
from tendril.outage import Outages, is_outage
from tendril.spool import Spool
from vintner_client.errors import LeaseLost, VintnerError
from vintner_client.models import NewLogChunk, StreamType

log = logging.getLogger(__name__)

FLUSH_SECONDS = 2.0
CHUNK_CHARACTERS = 10_000
CHUNKS_PER_CALL = 25

Send = Callable[[Sequence[NewLogChunk]], Awaitable[object]]


class JobLogger:
    """The log of one running job.

    Output is sent every two seconds or at 10,000 characters; the first line after a pause and
    Tendril's own lines go at once. While the API is away, chunks wait in a file. Leaving the
    context delivers all that is left; when the job is lost or the work cancelled, it gives it up,
    and so it does where the API stays away while the Tendril is leaving.

    Args:
        send: reports chunks under the job's fence; repeating a report is harmless.
        spool: the file in which chunks wait.
        next_seq: number of the first chunk. The numbers have a hole where a batch was refused.
        secrets: the values to mask.
        outages: told of what is noticed of the API.
    """

    def __init__(
        self, send: Send, spool: Path, next_seq: int, secrets: Iterable[str], outages: Outages
    ) -> None:
        self._send = send
        self._spool = Spool(spool)
        self._next_seq = next_seq
        self._outages = outages
        secrets = list(secrets)
        self._maskers = {stream: Masker(secrets) for stream in StreamType}
        self._buffer: list[tuple[StreamType, str]] = []
        self._buffered = 0
        self._written = asyncio.Event()
        self._urgent = asyncio.Event()
        self._closing = False
        self._refused = False
        self._flushed_at = -FLUSH_SECONDS

    async def __aenter__(self) -> Self:
        self._delivery = asyncio.create_task(self._deliver())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if not isinstance(error, LeaseLost | asyncio.CancelledError):
                await self._close()
        finally:
            self._delivery.cancel()
            await asyncio.gather(self._delivery, return_exceptions=True)
            self._spool.close()

    def write(self, stream: StreamType, text: str) -> None:
        """Adds output; it is sent in the background."""
        self._append(stream, self._maskers[stream].feed(text))

    def mask(self, text: str) -> str:
        """A text with the job's secrets masked, for what is reported by other ways."""
        return self._maskers[StreamType.SYSTEM].mask(text)

    def say(self, line: str) -> None:
        """Adds a line of Tendril's own, which does not wait: it says what comes next."""
        self.write(StreamType.SYSTEM, f"{line}\n")
        self._urgent.set()

    async def _close(self) -> None:
        for stream, masker in self._maskers.items():
            self._append(stream, masker.finish())
        self._closing = True
        self._written.set()
        self._urgent.set()
        await self._delivery

    def _append(self, stream: StreamType, text: str) -> None:
        if not text or self._refused:
            return
        # PostgreSQL's text has no NUL
        self._buffer.append((stream, text.replace("\0", "\N{REPLACEMENT CHARACTER}")))
        self._buffered += len(text)
        self._written.set()
        if self._buffered >= CHUNK_CHARACTERS:
            self._urgent.set()

    async def _deliver(self) -> None:
        while not (self._closing and self._spool.is_empty and not self._buffer):
            await self._until_due()
            self._cut()
            batch = self._spool.peek(CHUNKS_PER_CALL)
            if not batch:
                continue
            try:
                await self._outages.outlast(functools.partial(self._try_to_send, batch))
            except LeaseLost:
                self._refused = True
                return
            except VintnerError as error:
                if is_outage(error):
                    log.error("the rest of the log is given up: %s", error)
                    self._refused = True
                    return
                log.error("log chunks refused and dropped: %s", error)
            self._spool.drop(len(batch))

    async def _try_to_send(self, batch: Sequence[NewLogChunk]) -> None:
        # what is written during an outage waits on disk, not in memory
        self._cut()
        await self._send(batch)

    async def _until_due(self) -> None:
        """Returns once there is something to send and it is time to."""
        if not self._spool.is_empty:
            return
        await self._written.wait()
        pause = self._flushed_at + FLUSH_SECONDS - asyncio.get_running_loop().time()
        if pause > 0:
            try:
                async with asyncio.timeout(pause):
                    await self._urgent.wait()
            except TimeoutError:
                pass

    def _cut(self) -> None:
        """Moves what is buffered to the spool, as chunks of one stream each."""
        for stream, text in _merged(self._buffer):
            for start in range(0, len(text), CHUNK_CHARACTERS):
                chunk = text[start : start + CHUNK_CHARACTERS]
                self._spool.append(
                    NewLogChunk(seq=self._next_seq, log_chunk=chunk, stream_type=stream)
                )
                self._next_seq += 1
        self._buffer.clear()
        self._buffered = 0
        self._flushed_at = asyncio.get_running_loop().time()
        if not self._closing:
            self._written.clear()
            self._urgent.clear()


def _merged(pieces: Iterable[tuple[StreamType, str]]) -> list[tuple[StreamType, str]]:
    """Neighbouring pieces of one stream as one, in the order in which they were written."""
    merged: list[tuple[StreamType, list[str]]] = []
    for stream, text in pieces:
        if not merged or merged[-1][0] is not stream:
            merged.append((stream, []))
        merged[-1][1].append(text)
    return [(stream, "".join(texts)) for stream, texts in merged]
