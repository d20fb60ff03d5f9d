"""Vines: planting them, and the jobs that make and remove their resources."""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

from postgrest import AsyncSelectRequestBuilder

from vintner_client._resources._base import Resource, as_uuid
from vintner_client._transport import parse
from vintner_client.errors import NotAllowed
from vintner_client.models import (
    Components,
    EnvironmentStage,
    Job,
    JobType,
    Manifest,
    Vine,
)

SINGLETONS = {
    "network": "vine_network",
    "cluster": "vine_cluster",
    "dns": "vine_dns",
    "repositories": "vine_repositories",
}
LISTS = {
    "databases": "vine_databases",
    "caches": "vine_caches",
    "nosql_tables": "vine_nosql_tables",
    "queues": "vine_queues",
    "topics": "vine_topics",
    "container_registries": "vine_container_registries",
    "secrets": "vine_secrets",
}


class Vines(Resource):
    """`client.vines`."""

    async def plant(self, manifest: Mapping[str, Any] | Manifest, /) -> Vine:
        """Makes a vine with all its components, or nothing. For operators.

        Args:
            manifest: `vineyard_id`, `project_name`, `region` and so on, and a key for each kind of
                component; see `Manifest`.

        Raises:
            InvalidInput: a key or a value that the database does not accept.
            NotFound: no such vineyard or cloud identity.
            VineExists: the vineyard has a live vine of this project name and stage.
        """
        if isinstance(manifest, Manifest):
            manifest = manifest.model_dump(mode="json", exclude_unset=True)
        return parse(Vine, await self._transport.rpc("plant_vine", manifest=_plain(manifest)))

    async def get(self, vine_id: UUID | str, /) -> Vine:
        """The vine of an id.

        Raises:
            NotFound: there is none that the caller may see.
        """
        return await self._one(Vine, "vines", vine_id, "vine")

    async def list(self, *, vineyard_id: UUID | str | None = None) -> builtins.list[Vine]:
        """The vines of a vineyard, or of all, by project name."""
        return await self._find(vineyard_id=vineyard_id)

    async def find(
        self,
        *,
        project_name: str,
        environment_stage: EnvironmentStage | None = None,
        vineyard_id: UUID | str | None = None,
    ) -> builtins.list[Vine]:
        """The vines of a project name: one a stage or more.

        Args:
            project_name: the name to look for.
            environment_stage: only those of this stage.
            vineyard_id: only those of this vineyard.
        """
        return await self._find(
            project_name=project_name, environment_stage=environment_stage, vineyard_id=vineyard_id
        )

    async def delete(self, vine_id: UUID | str, /) -> None:
        """Deletes a vine that is DRAFT or DESTROYED, with its jobs. For operators.

        Raises:
            VineNotDeletable: its resources may exist.
            NotAllowed: the caller may see it, not delete it.
            NotFound: there is none that the caller may see.
        """
        vine = await self.get(vine_id)
        gone = await self._transport.table("vines").delete().eq("id", str(vine.id)).execute()
        if not gone.data:
            raise NotAllowed(
                "Your role in this account may not delete vines.",
                hint="Ask an owner or admin of the account.",
                code="not_allowed",
                status=403,
            )

    async def components(self, vine_id: UUID | str, /) -> Components:
        """All components of a vine.

        Raises:
            NotFound: there is no such vine that the caller may see.
        """
        vine = await self.get(vine_id)
        tables = {**SINGLETONS, **LISTS}
        # several small requests rather than one embedding: they share the connections
        answers = await asyncio.gather(
            *(
                self._transport.table(table).select("*").eq("vine_id", str(vine.id)).execute()
                for table in tables.values()
            )
        )
        found: dict[str, Any] = {}
        for key, answer in zip(tables, answers, strict=True):
            rows: builtins.list[Any] = answer.data
            if key in SINGLETONS:
                found[key] = rows[0] if rows else None
            else:
                found[key] = sorted(rows, key=lambda row: str(row["name"]))
        return parse(Components, found)

    async def plan(self, vine_id: UUID | str, /) -> Job:
        """Queues a PLAN: what would change. For operators.

        Raises:
            VineDestroyed: the vine is DESTROYED.
            CloudIdentityMissing: it has no account to run in.
        """
        return await self._enqueue(vine_id, JobType.PLAN)

    async def harvest(self, vine_id: UUID | str, /) -> Job:
        """Queues a DEPLOY: makes and changes the vine's resources. For operators.

        Raises:
            VineBusy: a job that changes the vine is unfinished.
            VineDestroyed: the vine is DESTROYED.
            CloudIdentityMissing: it has no account to run in.
        """
        return await self._enqueue(vine_id, JobType.DEPLOY)

    async def destroy(self, vine_id: UUID | str, /, *, confirm: str | None = None) -> Job:
        """Queues a DESTROY: removes the vine's resources. For operators.

        Args:
            vine_id: the vine.
            confirm: the project name, repeated; needed for a production vine.

        Raises:
            DestroyProtected: the vine is production, and `confirm` is not its project name.
            VineBusy: a job that changes the vine is unfinished.
            VineNotDestroyable: it is DRAFT and has no resources.
            VineDestroyed: it is DESTROYED already.
        """
        return await self._enqueue(vine_id, JobType.DESTROY, confirm)

    async def _enqueue(
        self, vine_id: UUID | str, job_type: JobType, confirm: str | None = None
    ) -> Job:
        # the key makes a request that is sent twice one job
        answer = await self._transport.rpc(
            "enqueue_job",
            vine_id=str(as_uuid(vine_id)),
            job_type=job_type.value,
            idempotency_key=uuid4().hex,
            confirm_name=confirm,
        )
        return parse(Job, answer)

    async def _find(self, **equal: object) -> builtins.list[Vine]:
        def query(builder: AsyncSelectRequestBuilder) -> AsyncSelectRequestBuilder:
            for column, value in equal.items():
                if value is not None:
                    builder = builder.eq(column, str(value))
            return builder.order("project_name").order("environment_stage").order("id")

        return await self._all(Vine, "vines", query)


def _plain(manifest: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: str(value) if isinstance(value, UUID) else value for key, value in manifest.items()
    }
