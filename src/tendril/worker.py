"""A Tendril at work: it reports that it is alive, claims jobs and runs them, one at a time."""

from __future__ import annotations

import asyncio
import logging
from uuid import UUID

from tendril import child_process
from tendril.job_runner import JobRunner
from tendril.outage import Backoff, Outages, is_fault, is_outage
from tendril.stop import StopReason, StopRequest
from vintner_client import AsyncVintner
from vintner_client.errors import NotSignedIn, VintnerError, WorkerUnavailable, WrongKey
from vintner_client.models import Heartbeat, Job, WorkerStatus

log = logging.getLogger(__name__)

LEASE_MARGIN_SECONDS = 10.0
# how long a Tendril that leaves still tries to say how its job ended
LEAVING_SECONDS = 30.0


class TendrilRefused(Exception):
    """The API does not take this Tendril's heartbeats; the message says what to do."""


class Worker:
    """The loops of one Tendril.

    Args:
        client: signed in as the Tendril.
        runner: runs one job.
        outages: told of what is noticed of the API.
        version: of this program.
        poll_interval: seconds between questions for a job while there is none.
    """

    def __init__(
        self,
        client: AsyncVintner,
        runner: JobRunner,
        outages: Outages,
        *,
        version: str,
        poll_interval: float,
    ) -> None:
        self._lease = client.lease
        self._runner = runner
        self._outages = outages
        self._version = version
        self._poll_interval = poll_interval
        self._running: dict[UUID, StopRequest] = {}
        self._draining = asyncio.Event()
        self._beat_now = asyncio.Event()
        self._lease_end: asyncio.TimerHandle | None = None
        self._trusted_seconds = 0.0
        self._newer_version: str | None = None

    async def run(self) -> None:
        """Works until it is drained.

        Raises:
            TendrilRefused: the API does not take its heartbeats, for good or for too long. The
                running job has been stopped and, if that was possible, reported.
            VintnerError: the API could not be reached at the start.
        """
        try:
            first = await self._beat()
        except VintnerError as error:
            if is_outage(error) or is_fault(error):
                raise
            raise _refused(error) from error
        log.info("ready: claims jobs every %g s", self._poll_interval)
        beating = asyncio.create_task(self._keep_beating(first.interval_seconds))
        claiming = asyncio.create_task(self._claim_and_run())
        try:
            # beating ends only by an error, and ends the work with it
            done, _ = await asyncio.wait({beating, claiming}, return_when=asyncio.FIRST_COMPLETED)
            if beating in done:
                self._draining.set()
                self._doubt_leases()
                self._outages.leave_within(child_process.PAUSE_SECONDS + LEAVING_SECONDS)
                await asyncio.wait({claiming})
            for task in done:
                task.result()
        finally:
            beating.cancel()
            claiming.cancel()
            await asyncio.gather(beating, claiming, return_exceptions=True)
            if self._lease_end is not None:
                self._lease_end.cancel()
        await self._sign_off()

    def drain(self) -> None:
        """Claims nothing more; `run` returns when the running job has ended."""
        self._draining.set()
        self._beat_now.set()

    def cancel_running(self) -> None:
        """Has the running job end as CANCELLED, and waits no outage out much longer."""
        self._outages.leave_within(child_process.PAUSE_SECONDS + LEAVING_SECONDS)
        for stop in self._running.values():
            stop.request(StopReason.CANCELLED)

    async def _keep_beating(self, interval: float) -> None:
        loop = asyncio.get_running_loop()
        backoff = Backoff()
        refused_since: float | None = None
        pause = interval
        while True:
            try:
                async with asyncio.timeout(pause):
                    await self._beat_now.wait()
            except TimeoutError:
                pass
            self._beat_now.clear()
            try:
                pause = (await self._beat()).interval_seconds
            except VintnerError as error:
                if is_outage(error) or is_fault(error):
                    self._outages.note_failure(error)
                    refused_since = None
                else:
                    refused_since = refused_since or loop.time()
                    if _is_final(error) or loop.time() - refused_since >= self._trusted_seconds:
                        raise _refused(error) from error
                    # a proxy's page perhaps, or a migration under way
                    log.warning("heartbeat refused, trying on: %s", error.message)
                pause = backoff.next()
            else:
                self._outages.note_answer()
                backoff.reset()
                refused_since = None

    async def _beat(self) -> Heartbeat:
        asked_at = asyncio.get_running_loop().time()
        answer = await self._lease.heartbeat(
            version=self._version,
            status=WorkerStatus.DRAINING if self._draining.is_set() else WorkerStatus.ONLINE,
            running_job_ids=list(self._running),
        )
        self._trusted_seconds = answer.lease_seconds - LEASE_MARGIN_SECONDS
        self._trust_lease_until(asked_at + self._trusted_seconds)
        for job_ids, reason in (
            (answer.cancel_job_ids, StopReason.CANCELLED),
            (answer.lost_job_ids, StopReason.LEASE_LOST),
        ):
            for job_id in job_ids:
                # a job may have ended while the answer was under way
                stop = self._running.get(job_id)
                if stop is not None and stop.reason is not reason:
                    log.info("told to stop job %s: %s", job_id, reason.name)
                    stop.request(reason)
        if answer.drain and not self._draining.is_set():
            log.warning("told to drain: claims no more jobs")
            self.drain()
        if answer.newer_version not in (None, self._newer_version):
            log.warning("Tendril %s is out; this is %s", answer.newer_version, self._version)
            self._newer_version = answer.newer_version
        return answer

    def _trust_lease_until(self, time: float) -> None:
        if self._lease_end is not None:
            self._lease_end.cancel()
        self._lease_end = asyncio.get_running_loop().call_at(time, self._doubt_leases)

    def _doubt_leases(self) -> None:
        for job_id, stop in self._running.items():
            log.warning("the lease is in doubt: stopping job %s", job_id)
            stop.request(StopReason.LEASE_IN_DOUBT)

    async def _claim_and_run(self) -> None:
        backoff = Backoff()
        while not self._draining.is_set():
            try:
                job = await self._lease.claim_next_job()
            except WorkerUnavailable:
                # unheard of for too long, as after an outage
                self._beat_now.set()
                await self._rest(self._poll_interval)
                continue
            except VintnerError as error:
                if is_outage(error) or is_fault(error):
                    self._outages.note_failure(error)
                else:
                    # whether that is for good, the next heartbeat tells
                    log.warning("claim refused, trying on: %s", error.message)
                    self._beat_now.set()
                await self._rest(backoff.next())
                continue
            self._outages.note_answer()
            backoff.reset()
            if job is None:
                await self._rest(self._poll_interval)
            else:
                await self._run_job(job)

    async def _run_job(self, job: Job) -> None:
        log.info(
            "claimed %s job %s of vine %s, attempt %d",
            job.job_type,
            job.id,
            job.vine_id,
            job.attempt,
        )
        self._running[job.id] = stop = StopRequest()
        try:
            await self._runner.run(job, stop)
        finally:
            del self._running[job.id]

    async def _rest(self, seconds: float) -> None:
        """Waits, but not longer than until draining begins."""
        try:
            async with asyncio.timeout(seconds):
                await self._draining.wait()
        except TimeoutError:
            pass

    async def _sign_off(self) -> None:
        try:
            await self._lease.heartbeat(version=self._version, status=WorkerStatus.OFFLINE)
        except VintnerError as error:
            log.warning("cannot sign off: %s", error)


def _is_final(error: VintnerError) -> bool:
    """Whether the project itself has said that it does not know this Tendril, or no more."""
    return isinstance(error, NotSignedIn | WrongKey) or error.code == "not_allowed"


def _refused(error: VintnerError) -> TendrilRefused:
    if isinstance(error, WrongKey) or not _is_final(error):
        return TendrilRefused(f"The API does not take this Tendril's heartbeats: {error}")
    return TendrilRefused(
        "The project no longer knows this Tendril: it was removed, or has a new token. Start it "
        "with that one, or register it anew: grape tendril register NAME."
    )
