"""Tendrils: the workers, as their owner sees them."""

from __future__ import annotations

import builtins
from uuid import UUID

from vintner_client._resources._base import Resource
from vintner_client._transport import parse
from vintner_client.models import RegisteredTendril, Tendril, WorkerMode

COLUMNS = "id,user_id,name,mode,status,version,last_heartbeat,created_at"


class Tendrils(Resource):
    """`client.tendrils`."""

    async def register(
        self, *, name: str, mode: WorkerMode | str = WorkerMode.SELF_HOSTED
    ) -> RegisteredTendril:
        """Makes a Tendril of the caller's; its token is shown this once.

        Args:
            name: its name for people.
            mode: whose machine it runs on.

        Raises:
            InvalidInput: the name is empty, or there is no such mode.
        """
        answer = await self._transport.rpc("register_tendril", name=name, mode=str(mode))
        return parse(RegisteredTendril, answer)

    async def rotate_token(self, tendril_id: UUID, /) -> RegisteredTendril:
        """Gives a Tendril of the caller's a new token, which is shown this once.

        The old one no longer holds, nor does any session from it, and jobs that run are lost.

        Raises:
            NotFound: the caller has no such Tendril.
        """
        answer = await self._transport.rpc("rotate_tendril_token", worker_id=str(tendril_id))
        return parse(RegisteredTendril, answer)

    async def drain(self, tendril_id: UUID, /) -> Tendril:
        """Lets a Tendril finish what it has and end; it claims nothing more from now on.

        Raises:
            NotFound: the caller has no such Tendril.
        """
        return parse(Tendril, await self._transport.rpc("drain_tendril", worker_id=str(tendril_id)))

    async def remove(self, tendril_id: UUID, /) -> None:
        """Removes a Tendril for good; jobs that it runs are lost.

        Raises:
            NotFound: the caller has no such Tendril.
        """
        await self._transport.rpc("remove_tendril", worker_id=str(tendril_id))

    async def list(self) -> builtins.list[Tendril]:
        """The caller's Tendrils that are not removed, by name."""
        return await self._all(
            Tendril,
            "workers",
            lambda q: q.is_("removed_at", "null").order("name").order("id"),
            columns=COLUMNS,
        )
