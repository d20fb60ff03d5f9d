"""Following a job's log: nothing lost, nothing twice.

Realtime tells quickly, and may drop or repeat; the table has everything. So each chunk goes out
when its turn by `seq` comes, whichever way it came, and whatever is missing is fetched.

The database broadcasts each batch on the job's private channel, which real servers pass on in some
2 ms; the same chunks as changes of the table take 260 ms. So only the first are asked for, and the
second where Realtime refuses the channel or is silent on it.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Iterable
from types import TracebackType
from typing import Protocol, Self
from uuid import UUID

from vintner_client._live.changes import Broadcast, Change, News, Signal, Watch
from vintner_client._live.subscriptions import Subscriptions
from vintner_client._parsing import parse
from vintner_client._retries import AWAY, Patience
from vintner_client.errors import ServerFailed
from vintner_client.models import Job, LogChunk

REFETCH_INTERVAL = 5.0
"""Seconds after which the table is asked in any case: servers drop changes without a word."""
RETRY_INTERVAL = 1.0

JOBS = "provision_jobs"
LOGS = "provision_job_logs"


class JobReader(Protocol):
    """What is asked for jobs and logs."""

    async def get(self, job_id: UUID) -> Job: ...

    async def logs(self, job_id: UUID, from_seq: int) -> list[LogChunk]: ...


class Merge:
    """Chunks that come in any order and number, put in order.

    Args:
        from_seq: the first that is wanted.
    """

    def __init__(self, from_seq: int) -> None:
        self.next_seq = max(from_seq, 1)
        self._waiting: dict[int, LogChunk] = {}

    def add(self, chunks: Iterable[LogChunk]) -> list[LogChunk]:
        """Takes chunks and gives those whose turn it is."""
        for chunk in chunks:
            if chunk.seq >= self.next_seq:
                self._waiting.setdefault(chunk.seq, chunk)
        ready = []
        while chunk_or_none := self._waiting.pop(self.next_seq, None):
            ready.append(chunk_or_none)
            self.next_seq += 1
        return ready

    def rest(self) -> list[LogChunk]:
        """What is left behind a hole, in order."""
        left = [self._waiting[seq] for seq in sorted(self._waiting)]
        self._waiting.clear()
        return left

    @property
    def has_hole(self) -> bool:
        """Whether chunks wait for an earlier one."""
        return bool(self._waiting)


class Feed:
    """What Realtime tells of a job and its log. An async context manager.

    Args:
        subscriptions: the client's.
        job_id: the job.
    """

    def __init__(self, subscriptions: Subscriptions, job_id: UUID) -> None:
        self._subscriptions = subscriptions
        self._job_id = job_id
        self._job = Watch("UPDATE", JOBS, f"id=eq.{job_id}")
        self._is_broadcast = True
        self._subscription = subscriptions.subscribe(self._job, topic=f"job:{job_id}")
        self._is_overdue = False
        self._heard = 0
        self._stored = 0

    async def __aenter__(self) -> Self:
        await self._subscription.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._subscription.close()

    async def next(self, within: float) -> list[LogChunk] | None:
        """Chunks that come; None when it is time to ask the table, after `within` seconds at last.

        Args:
            within: seconds.
        """
        news = await self._subscription.next(within)
        self._is_overdue = news is None
        if news is Signal.REFUSED and self._is_broadcast:
            await self._fall_back()
        try:
            chunks = self._chunks(news)
        except (ServerFailed, TypeError):
            # another version's; the table is asked, which is told of as it should be
            return None
        if chunks:
            self._heard = max(self._heard, *(chunk.seq for chunk in chunks))
        return chunks

    async def check(self, stored: int) -> None:
        """Falls back where no broadcast told what the table had the last time, seconds ago.

        Args:
            stored: the last seq that the table has now.
        """
        if not (self._is_overdue and self._subscription.is_live):
            # of what came before this moment, nothing has to be told
            self._heard = max(self._heard, stored)
        elif self._is_broadcast and self._stored > self._heard:
            await self._fall_back()
        self._stored = stored

    def _chunks(self, news: News | None) -> list[LogChunk] | None:
        if isinstance(news, Broadcast) and news.event == "log":
            rows = news.payload.get("chunks", ())
            return [parse(LogChunk, {**row, "job_id": self._job_id}) for row in rows]
        if isinstance(news, Change) and news.table == LOGS and news.record is not None:
            return [parse(LogChunk, news.record)]
        return None

    async def _fall_back(self) -> None:
        self._is_broadcast = False
        before = self._subscription
        logs = Watch("INSERT", LOGS, f"job_id=eq.{self._job_id}")
        self._subscription = self._subscriptions.subscribe(self._job, logs)
        # the other first: the last one to end closes the socket
        await self._subscription.__aenter__()
        await before.close()


async def follow(
    jobs: JobReader, subscriptions: Subscriptions, job_id: UUID, from_seq: int
) -> AsyncGenerator[LogChunk, None]:
    """See `Jobs.follow_logs`."""
    merge = Merge(from_seq)
    patience = Patience()
    async with Feed(subscriptions, job_id) as feed:
        while True:
            wait = REFETCH_INTERVAL
            try:
                # the job first: once it has ended, the log that is read afterwards is complete
                job = await jobs.get(job_id)
                chunks = await jobs.logs(job_id, merge.next_seq)
            except AWAY:
                if patience.is_over():
                    raise
                wait = RETRY_INTERVAL
            else:
                patience.answered()
                for chunk in merge.add(chunks):
                    yield chunk
                if job.status.is_final:
                    for chunk in merge.rest():
                        yield chunk
                    return
                await feed.check(merge.next_seq - 1)
            until = time.monotonic() + wait
            while (left := until - time.monotonic()) > 0:
                news = await feed.next(left)
                if news is None:
                    break
                for chunk in merge.add(news):
                    yield chunk
                if merge.has_hole:
                    break
