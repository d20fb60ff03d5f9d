"""Tendrils: the workers, as their owner sees them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal
from uuid import UUID

from vintner_client._async.resources.base import AsyncResource
from vintner_client._async.rows import AsyncRows
from vintner_client._parsing import as_uuid, parse
from vintner_client._query import Query, equals
from vintner_client.models import RegisteredTendril, Tendril, WorkerMode, WorkerStatus

Order = Literal["name", "-name", "created_at", "-created_at"]

COLUMNS = "id,user_id,name,mode,status,version,last_heartbeat,created_at,updated_at"


class AsyncTendrils(AsyncResource):
    """`client.tendrils`."""

    async def register(
        self, *, name: str, mode: WorkerMode = WorkerMode.SELF_HOSTED
    ) -> RegisteredTendril:
        """Makes a Tendril of the caller's; its token is shown this once.

        Args:
            name: its name for people.
            mode: whose machine it runs on.

        Raises:
            InvalidInput: the name is empty, or there is no such mode.
            WorkerExists: the caller has a Tendril of this name.
        """
        answer = await self._transport.rpc("register_tendril", name=name, mode=mode)
        return parse(RegisteredTendril, answer)

    async def rotate_token(self, worker_id: UUID | str, /) -> RegisteredTendril:
        """Gives a Tendril of the caller's a new token, which is shown this once.

        The old one no longer holds, nor does any session from it, and jobs that run are lost.

        Args:
            worker_id: the Tendril.

        Raises:
            NotFound: the caller has no such Tendril.
        """
        found = str(as_uuid(worker_id))
        answer = await self._transport.rpc("rotate_tendril_token", worker_id=found)
        return parse(RegisteredTendril, answer)

    async def rename(self, worker_id: UUID | str, /, *, name: str) -> Tendril:
        """Gives a Tendril of the caller's another name.

        Args:
            worker_id: the Tendril.
            name: its new name, unique among the caller's own.

        Raises:
            Conflict: another one of the caller's has it.
            NotAllowed: it is somebody else's.
            NotFound: there is none that the caller may see.
        """
        return await self._update(Tendril, "workers", worker_id, "Tendril", {"name": name})

    async def drain(self, worker_id: UUID | str, /) -> Tendril:
        """Lets a Tendril finish what it has and end; it claims nothing more from now on.

        Args:
            worker_id: the Tendril.

        Raises:
            NotFound: the caller has no such Tendril.
        """
        found = str(as_uuid(worker_id))
        return parse(Tendril, await self._transport.rpc("drain_tendril", worker_id=found))

    async def remove(self, worker_id: UUID | str, /) -> None:
        """Removes a Tendril for good; jobs that it runs are lost.

        Args:
            worker_id: the Tendril.

        Raises:
            NotFound: the caller has no such Tendril.
        """
        await self._transport.rpc("remove_tendril", worker_id=str(as_uuid(worker_id)))

    def list(
        self,
        *,
        name: str | None = None,
        mode: WorkerMode | None = None,
        status: WorkerStatus | Sequence[WorkerStatus] | None = None,
        order: Order = "name",
    ) -> AsyncRows[Tendril]:
        """The Tendrils that the caller may see and that are not removed.

        Args:
            name: only those of this name.
            mode: only those of this mode.
            status: only those of this status, or of one of several.
            order: by what; a minus before it descends.
        """
        filters = (*equals(name=name, mode=mode, status=status), ("removed_at", "is.null"))
        return self._rows(Tendril, Query("workers", filters, (order, "id"), COLUMNS))

    async def get(self, worker_id: UUID | str, /) -> Tendril:
        """The Tendril of an id, removed or not.

        Args:
            worker_id: the Tendril.

        Raises:
            NotFound: there is none that the caller may see.
        """
        return await self._one(Tendril, "workers", worker_id, "Tendril", COLUMNS)
