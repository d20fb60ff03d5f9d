"""The state of a job's vine, kept by the control plane under the job's fence."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar
from uuid import uuid4

from tendril.outage import Outages
from tendril.stop import StopRequest
from vintner_client import AsyncVintner
from vintner_client.errors import Conflict
from vintner_client.models import Job

T = TypeVar("T")


class LeasedState:
    """A `StateStore` that waits outages out: each of these calls is harmless to repeat.

    Once the job is to stop it waits no more, so that Terraform can put a state that cannot be
    stored into a file before it is killed.

    Args:
        client: signed in as the Tendril that holds the job.
        job: the job.
        outages: waits them out.
        stop: how the job is told to stop.

    Attributes:
        unsaved: the newest state that Terraform gave and that could not be stored.
    """

    def __init__(self, client: AsyncVintner, job: Job, outages: Outages, stop: StopRequest) -> None:
        self._lease = client.lease
        self._job = job
        self._outages = outages
        self._stop = stop
        self.unsaved: str | None = None

    async def get(self) -> str | None:
        """See `StateStore`."""
        return await self._outlast(lambda: self._lease.get_state(self._job))

    async def put(self, state: str, lock_id: str) -> None:
        """See `StateStore`."""
        self.unsaved = state
        await self._outlast(lambda: self._lease.put_state(self._job, state, lock_id))
        self.unsaved = None

    async def lock(self, info: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """See `StateStore`."""
        return await self._outlast(lambda: self._lease.lock_state(self._job, info))

    async def unlock(self, lock_id: str | None) -> None:
        """See `StateStore`."""
        await self._outlast(lambda: self._lease.unlock_state(self._job, lock_id))

    async def push(self, state: str) -> None:
        """Stores a state that Terraform could not store, once Terraform has ended.

        Outages are waited out, whether the job is to stop or not.

        Raises:
            VintnerError: it cannot be stored.
        """
        job, lease, outlast = self._job, self._lease, self._outages.outlast
        info = {"ID": str(uuid4()), "Operation": "save Terraform's last state", "Who": "tendril"}
        # Terraform may have been killed while it held the lock
        await outlast(lambda: lease.unlock_state(job, None))
        if await outlast(lambda: lease.lock_state(job, info)) is not None:
            raise Conflict("Another job holds the lock of the Terraform state.")
        await outlast(lambda: lease.put_state(job, state, info["ID"]))
        await outlast(lambda: lease.unlock_state(job, info["ID"]))

    async def _outlast(self, call: Callable[[], Awaitable[T]]) -> T:
        return await self._outages.outlast(call, self._stop)
