"""A user with a vineyard, for tests against the real stack."""

from typing import Any
from uuid import UUID

import psycopg

from support._async.people import sign_up
from support.waiting import until
from vintner_client import AsyncVintner
from vintner_client.models import Job, JobStatus, Vine, WorkerStatus


class Home:
    """A user of their own, with a vineyard and an identity that provisions nothing."""

    def __init__(self, client: AsyncVintner, admin_db_url: str) -> None:
        self.client = client
        self.vineyard_id: UUID
        self.identity_id: UUID
        self._admin_db_url = admin_db_url

    async def move_in(self) -> None:
        await sign_up(self.client)
        self.vineyard_id = (await self.client.vineyards.create(name="home")).id
        self.identity_id = await self.identity("local")

    async def identity(self, provider: str, **credentials: str) -> UUID:
        identity = await self.client.identities.create(
            provider=provider, name=provider, credentials=credentials
        )
        return identity.id

    async def plant(self, **manifest: Any) -> Vine:
        return await self.client.vines.plant(
            {
                "vineyard_id": str(self.vineyard_id),
                "cloud_identity_id": str(self.identity_id),
                "project_name": "shop",
                "region": "eu-west-1",
                **manifest,
            }
        )

    async def ended(self, job: Job) -> Job:
        """The job once it has ended."""
        return await self.has_status(job, *(status for status in JobStatus if status.is_final))

    async def has_status(self, job: Job, *statuses: JobStatus) -> Job:
        """The job once it has one of these statuses."""

        async def has() -> bool:
            nonlocal job
            job = await self.client.jobs.get(job.id)
            return job.status in statuses

        await until(has, 30)
        return job

    async def has_tendril(self, status: WorkerStatus) -> bool:
        """Whether a Tendril of this user's has this status."""
        return any(tendril.status is status for tendril in await self.client.tendrils.list().all())

    async def log(self, job: Job) -> str:
        """The whole log, after a check that no chunk is missing."""
        chunks = await self.client.jobs.logs(job.id).all()
        assert [chunk.seq for chunk in chunks] == list(range(1, len(chunks) + 1))
        return "".join(chunk.log_chunk for chunk in chunks)

    def remove_tendril(self, worker_id: UUID) -> None:
        """Removes a Tendril."""
        with psycopg.connect(self._admin_db_url) as database:
            database.execute(
                "update public.workers set removed_at = now() where id = %s", [worker_id]
            )

    def let_the_lease_run_out(self, job: Job) -> None:
        """Sets the times of a job and its Tendril back, as if a minute had passed."""
        with psycopg.connect(self._admin_db_url) as database:
            database.execute(
                "update public.provision_jobs set claimed_at = claimed_at - interval '61 s' "
                "where id = %s",
                [job.id],
            )
            database.execute(
                "update public.workers set last_heartbeat = last_heartbeat - interval '61 s' "
                "where id = (select worker_id from public.provision_jobs where id = %s)",
                [job.id],
            )
