# Made by scripts/generate_sync.py from src/vintner_client/_async/resources/vines.py: run `make sync`.
"""Vines: planting them, and the jobs that make and remove their resources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar
from uuid import UUID

from pydantic import SecretStr

from vintner_client._concurrency.sync_tools import sync_together
from vintner_client._parsing import as_uuid, as_uuids, parse
from vintner_client._query import Query, equals
from vintner_client._sync.resources.base import SyncResource
from vintner_client._sync.rows import SyncRows
from vintner_client._sync.transport import new_idempotency_key
from vintner_client.errors import InvalidInput
from vintner_client.models import (
    Cache,
    Cluster,
    Component,
    Components,
    ComponentStatus,
    ContainerRegistry,
    Database,
    Dns,
    EnvironmentStage,
    Job,
    JobType,
    Manifest,
    NamedComponent,
    Network,
    NosqlTable,
    Queue,
    Repositories,
    Secret,
    StateVersion,
    Topic,
    Vine,
    VineStatus,
)

Order = Literal["project_name", "-project_name", "created_at", "-created_at"]

KINDS: dict[type[Component], str] = {
    Network: "network",
    Cluster: "cluster",
    Dns: "dns",
    Repositories: "repositories",
    Database: "databases",
    Cache: "caches",
    NosqlTable: "nosql_tables",
    Queue: "queues",
    Topic: "topics",
    ContainerRegistry: "container_registries",
    Secret: "secrets",
}
"""The key of each kind in a manifest; its table is `vine_` and that."""

Kind = TypeVar("Kind", bound=Component)


class SyncVines(SyncResource):
    """`client.vines`."""

    def plant(self, manifest: Mapping[str, Any] | Manifest, /) -> Vine:
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
        return parse(Vine, self._transport.rpc("plant_vine", manifest=manifest))

    def get(self, vine_id: UUID | str, /) -> Vine:
        """The vine of an id.

        Args:
            vine_id: the vine.

        Raises:
            NotFound: there is none that the caller may see.
        """
        return self._one(Vine, "vines", vine_id, "vine")

    def list(
        self,
        *,
        vineyard_id: UUID | str | Sequence[UUID | str] | None = None,
        project_name: str | None = None,
        environment_stage: EnvironmentStage | Sequence[EnvironmentStage] | None = None,
        status: VineStatus | Sequence[VineStatus] | None = None,
        order: Order = "project_name",
    ) -> SyncRows[Vine]:
        """The vines of all the caller's vineyards.

        Args:
            vineyard_id: only those of this vineyard, or of one of several.
            project_name: only those of this project: one a stage or more.
            environment_stage: only those of this stage, or of one of several.
            status: only those of this status, or of one of several.
            order: by what, and then by stage; a minus before it descends.
        """
        filters = equals(
            vineyard_id=vineyard_id and as_uuids(vineyard_id),
            project_name=project_name,
            environment_stage=environment_stage,
            status=status,
        )
        query = Query("vines", filters, (order, "environment_stage", "id"))
        return self._rows(Vine, query)

    def delete(self, vine_id: UUID | str, /) -> None:
        """Deletes a vine that is DRAFT or DESTROYED, with its jobs. For operators.

        Args:
            vine_id: the vine.

        Raises:
            VineNotDeletable: its resources may exist.
            NotAllowed: the caller may see it, not delete it.
            NotFound: there is none that the caller may see.
        """
        self._delete(Vine, "vines", vine_id, "vine")

    def components(self, vine_id: UUID | str, /) -> Components:
        """All components of a vine.

        Args:
            vine_id: the vine.

        Raises:
            NotFound: there is no such vine that the caller may see.
        """
        vine = self.get(vine_id)
        # several small requests rather than one embedding: they share the connections
        answers: list[list[Any]] = sync_together(
            *(self.components_of(kind, vine_id=vine.id).all() for kind in KINDS)
        )
        found: dict[str, Any] = {}
        for (kind, key), rows in zip(KINDS.items(), answers, strict=True):
            is_named = issubclass(kind, NamedComponent)
            found[key] = rows if is_named else next(iter(rows), None)
        return Components(**found)

    def components_of(
        self,
        kind: type[Kind],
        /,
        *,
        vine_id: UUID | str | None = None,
        name: str | None = None,
        status: ComponentStatus | Sequence[ComponentStatus] | None = None,
    ) -> SyncRows[Kind]:
        """The components of one kind, of one vine or of all the caller's vines, by name.

        Args:
            kind: the model, such as `Database`.
            vine_id: only those of this vine.
            name: only those of this name; only kinds of which a vine may have several have names.
            status: only those of this status, or of one of several; repositories have none.

        Raises:
            InvalidInput: there is no such kind, or it has no such column.
        """
        if kind not in KINDS:
            raise InvalidInput(f"{kind.__name__} is no kind of component.")
        filters = equals(vine_id=vine_id and as_uuid(vine_id), name=name, status=status)
        order = ("name", "id") if issubclass(kind, NamedComponent) else ("id",)
        return self._rows(kind, Query(f"vine_{KINDS[kind]}", filters, order))

    def plan(self, vine_id: UUID | str, /) -> Job:
        """Queues a PLAN: what would change. For operators.

        Args:
            vine_id: the vine.

        Raises:
            VineDestroyed: the vine is DESTROYED.
            CloudIdentityMissing: it has no account to run in.
        """
        return self._enqueue(vine_id, JobType.PLAN)

    def harvest(self, vine_id: UUID | str, /, *, plan_job_id: UUID | str | None = None) -> Job:
        """Queues a DEPLOY: makes and changes the vine's resources. For operators.

        Args:
            vine_id: the vine.
            plan_job_id: the PLAN whose saved plan is applied; it plans anew by default.

        Raises:
            PlanRequired: the job needs an approval, and so a PLAN.
            PlanUnusable: the PLAN has no saved plan, or one that has expired or been overtaken.
            ApproverMissing: the job needs an approval, and nobody else could give it.
            VineBusy: a job that changes the vine is unfinished.
            VineDestroyed: the vine is DESTROYED.
            CloudIdentityMissing: it has no account to run in.
        """
        return self._enqueue(
            vine_id, JobType.DEPLOY, plan_job_id=plan_job_id and str(as_uuid(plan_job_id))
        )

    def destroy(self, vine_id: UUID | str, /, *, confirm: str | None = None) -> Job:
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
        return self._enqueue(vine_id, JobType.DESTROY, confirm_name=confirm)

    def state_versions(self, vine_id: UUID | str, /) -> Sequence[StateVersion]:
        """What versions there are of a vine's Terraform state, the newest first.

        Args:
            vine_id: the vine.

        Raises:
            NotFound: there is no such vine that the caller may see.
        """
        found = self._transport.rpc("terraform_state_versions", vine_id=str(as_uuid(vine_id)))
        return parse(list[StateVersion], found)

    def push_state(self, vine_id: UUID | str, /, *, state: str) -> int:
        """Puts back a Terraform state that a Tendril could not save. For admins.

        Args:
            vine_id: the vine.
            state: the text of the state.

        Returns:
            Its serial.

        Raises:
            VineBusy: a job of the vine runs.
            StateConflict: it is of another lineage, or not newer.
        """
        found = str(as_uuid(vine_id))
        answer = self._transport.rpc("push_terraform_state", vine_id=found, state=state)
        return parse(int, answer)

    def restore_state(self, vine_id: UUID | str, /, *, serial: int) -> int:
        """Takes an older version of the Terraform state up again, as a new one. For admins.

        What the cloud holds is not changed by it.

        Args:
            vine_id: the vine.
            serial: of the version that is wanted.

        Returns:
            The serial of the new version.

        Raises:
            VineBusy: a job of the vine runs.
            NotFound: there is no such version.
        """
        found = str(as_uuid(vine_id))
        answer = self._transport.rpc("restore_terraform_state", vine_id=found, serial=serial)
        return parse(int, answer)

    def reveal_argocd_admin_password(self, vine_id: UUID | str, /) -> SecretStr | None:
        """The password of the ArgoCD on a vine's cluster; the audit log tells of it. For admins.

        Args:
            vine_id: the vine.

        Raises:
            NotAllowed: the caller's role does not allow it.
        """
        found = str(as_uuid(vine_id))
        answer = self._transport.rpc("reveal_argocd_admin_password", vine_id=found)
        return parse(SecretStr, answer) if answer else None

    def _enqueue(self, vine_id: UUID | str, job_type: JobType, **options: Any) -> Job:
        answer = self._transport.rpc(
            "enqueue_job",
            vine_id=str(as_uuid(vine_id)),
            job_type=job_type,
            idempotency_key=new_idempotency_key(),
            **options,
        )
        return parse(Job, answer)
