"""Following a job's log: nothing lost, nothing twice.

Realtime tells quickly, and may drop or repeat; the table has everything. So each chunk goes out
when its turn by `seq` comes, whichever way it came, and whatever is missing is fetched.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Iterable
from uuid import UUID

from vintner_client._live.changes import Change, Changes, Watch
from vintner_client._live.entry import JobReader
from vintner_client._parsing import parse
from vintner_client.errors import ConnectionFailed, ServerFailed
from vintner_client.models import JobStatus, LogChunk

REFETCH_INTERVAL = 5.0
"""Seconds after which the table is asked in any case: servers drop changes without a word."""
RETRY_INTERVAL = 1.0
PATIENCE = 60.0
"""Seconds that a server may be away."""

JOBS = "provision_jobs"
LOGS = "provision_job_logs"


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


async def follow(
    jobs: JobReader, subscribe: Callable[..., Changes], job_id: UUID, from_seq: int
) -> AsyncGenerator[LogChunk, None]:
    """See `Jobs.follow_logs`."""
    merge = Merge(from_seq)
    answered_at: float | None = None
    watches = (
        Watch("INSERT", LOGS, f"job_id=eq.{job_id}"),
        Watch("UPDATE", JOBS, f"id=eq.{job_id}"),
    )
    async with subscribe(*watches) as changes:
        while True:
            wait = REFETCH_INTERVAL
            try:
                # the job first: once it has ended, the log that is read afterwards is complete
                job = await jobs.get(job_id)
                chunks = await jobs.logs(job_id, merge.next_seq)
            except (ConnectionFailed, ServerFailed):
                if answered_at is None or time.monotonic() - answered_at > PATIENCE:
                    raise
                wait = RETRY_INTERVAL
            else:
                answered_at = time.monotonic()
                for chunk in merge.add(chunks):
                    yield chunk
                if job.status.is_final:
                    for chunk in merge.rest():
                        yield chunk
                    return
            until = time.monotonic() + wait
            while (left := until - time.monotonic()) > 0:
                change = await changes.next(left)
                if not isinstance(change, Change) or change.record is None:
                    break
                if change.table == LOGS:
                    for chunk in merge.add([parse(LogChunk, change.record)]):
                        yield chunk
                    if merge.has_hole:
                        break
                elif JobStatus(change.record["status"]).is_final:
                    break
