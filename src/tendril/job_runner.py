"""One job from its claim to its end: context, folder, Terraform, report."""

from __future__ import annotations

import logging
import os
from collections.abc import Awaitable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tendril.job_logger import JobLogger
from tendril.leased_state import LeasedState
from tendril.masking import secret_values
from tendril.outage import Outages
from tendril.state_server import StateServer
from tendril.stop import StopReason, StopRequest
from tendril.terraform import Terraform, TerraformFailed, TerraformStopped
from tendril.terraform_binary import TerraformBinary
from tendril.workspace import NoTemplate, Workspace, add_template, open_workspace
from vintner_client import AsyncVintner
from vintner_client.errors import LeaseLost, TooLarge, VintnerError
from vintner_client.models import Job, JobContext, JobStatus, JobType

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Outcome:
    """How a job ended, as it is reported."""

    status: JobStatus
    error_message: str | None = None
    outputs: dict[str, Any] | None = None
    metadata: dict[str, Any] = field(default_factory=dict)


class JobRunner:
    """Runs jobs, one after the other.

    Args:
        client: signed in as the Tendril.
        terraform: the program to run.
        work_dir: where the jobs' folders are made.
        outages: waits them out.
    """

    def __init__(
        self, client: AsyncVintner, terraform: TerraformBinary, work_dir: Path, outages: Outages
    ) -> None:
        self._client = client
        self._lease = client.lease
        self._binary = terraform
        self._work_dir = work_dir
        self._outages = outages

    async def run(self, job: Job, stop: StopRequest) -> None:
        """Runs a job that was just claimed and reports how it ended.

        Args:
            job: the job.
            stop: how it is told to stop.
        """
        try:
            outcome = await self._begin_and_execute(job, stop)
            try:
                await self._report(job, outcome)
            except TooLarge as error:
                # what was done was done, whatever is to be said of it
                log.warning("job %s is reported without its outputs: %s", job.id, error)
                outcome.error_message = outcome.error_message or f"Its outputs are lost: {error}"
                outcome.outputs, outcome.metadata = None, {}
                await self._report(job, outcome)
        except LeaseLost:
            log.warning("lost job %s: its result is discarded", job.id)
        except VintnerError as error:
            log.error("cannot report job %s: %s", job.id, error)
        else:
            reason = f": {outcome.error_message}" if outcome.error_message else ""
            log.info("job %s ended %s%s", job.id, outcome.status, reason)

    async def _report(self, job: Job, outcome: Outcome) -> None:
        await self._outages.outlast(
            lambda: self._lease.complete_job(
                job,
                status=outcome.status,
                error_message=outcome.error_message,
                outputs=outcome.outputs,
                execution_metadata=outcome.metadata,
            )
        )

    async def _begin_and_execute(self, job: Job, stop: StopRequest) -> Outcome:
        if job.vine_id is None or job.plan_job_id is not None:
            what = f"{job.job_type} jobs" if job.vine_id is None else "a DEPLOY of a saved plan"
            return Outcome(JobStatus.FAILED, error_message=f"This Tendril cannot run {what} yet.")
        try:
            job = await self._outages.outlast(lambda: self._lease.start_job(job), stop)
            context = await self._outages.outlast(lambda: self._lease.context(job), stop)
        except LeaseLost:
            raise
        except VintnerError as error:
            if stop.reason is StopReason.CANCELLED:
                return Outcome(JobStatus.CANCELLED)
            return Outcome(
                JobStatus.FAILED, error_message=f"The job could not be begun: {error.message}"
            )
        return await self._survive(job, self._execute(job, context, stop))

    async def _survive(self, job: Job, execution: Awaitable[Outcome]) -> Outcome:
        """The outcome of an execution, also where a full disk or a mistake of ours ends it."""
        try:
            return await execution
        except LeaseLost:
            raise
        except Exception as error:
            log.exception("job %s failed within Tendril", job.id)
            return Outcome(
                JobStatus.FAILED,
                error_message=f"Tendril itself failed ({type(error).__name__}); see its log.",
            )

    async def _execute(self, job: Job, context: JobContext, stop: StopRequest) -> Outcome:
        with open_workspace(self._work_dir, context) as workspace:
            logger = JobLogger(
                lambda chunks: self._lease.append_logs(job, chunks),
                workspace.spool,
                context.next_log_seq,
                secret_values(context.credentials),
                self._outages,
            )
            async with logger:
                state = LeasedState(self._client, job, self._outages, stop)
                try:
                    outcome = await self._outcome(context, workspace, state, logger, stop)
                finally:
                    _leave_unsaved(state, workspace)
                await _rescue_state(state, workspace, outcome)
                if outcome.error_message:
                    outcome.error_message = logger.mask(outcome.error_message)
                    logger.say(outcome.error_message)
                return outcome

    async def _outcome(
        self,
        context: JobContext,
        workspace: Workspace,
        leased_state: LeasedState,
        logger: JobLogger,
        stop: StopRequest,
    ) -> Outcome:
        outcome = Outcome(JobStatus.SUCCESS)
        try:
            add_template(workspace, context)
            self._introduce(context, logger)
            async with StateServer(leased_state) as state:
                terraform = Terraform(
                    self._binary,
                    folder=workspace.terraform,
                    home=workspace.home,
                    cli_config=workspace.cli_config,
                    settings=state.environment,
                    write=logger.write,
                    stop=stop,
                    inherited=[workspace.lock],
                )
                outcome.metadata = {
                    "terraform_version": self._binary.version,
                    "timing": terraform.seconds,
                }
                await _work(context.job.job_type, terraform, logger, outcome)
        except (NoTemplate, TerraformFailed) as error:
            outcome.status = JobStatus.FAILED
            outcome.error_message = str(error)
        except TerraformStopped as error:
            if stop.reason is StopReason.LEASE_LOST:
                raise LeaseLost("The job was taken away while it ran.") from error
            if stop.reason is StopReason.LEASE_IN_DOUBT:
                outcome.status = JobStatus.FAILED
                outcome.error_message = (
                    "Terraform was interrupted: the API was away, or refused the Tendril, "
                    "for longer than the job's lease."
                )
            else:
                outcome.status = JobStatus.CANCELLED
        return outcome

    def _introduce(self, context: JobContext, logger: JobLogger) -> None:
        vine = context.vine
        version = self._binary.version
        logger.say(
            f"{context.job.job_type} of {vine.project_name}/{vine.environment_stage} "
            f"with {self._binary.path.name} {version}"
        )
        if version != vine.terraform_version:
            logger.say(f"The vine asks for {vine.terraform_version}; this Tendril has {version}.")


def _leave_unsaved(state: LeasedState, workspace: Workspace) -> None:
    """Puts a state that was never stored where Terraform, if it was not killed, puts it itself."""
    path = workspace.errored_state
    if state.unsaved is None or path.exists():
        return
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(state.unsaved)


async def _rescue_state(state: LeasedState, workspace: Workspace, outcome: Outcome) -> None:
    path = workspace.errored_state
    if not path.is_file():
        return
    try:
        await state.push(path.read_text(encoding="utf-8"))
    except LeaseLost:
        # the folder's removal keeps it
        raise
    except VintnerError as error:
        kept = workspace.keep_unsaved_state()
        said = (
            f"The state that Terraform could not save is in {kept} on the Tendril's machine: "
            f"{error.message} Until it is back, Vintner does not know all that was made."
        )
    else:
        path.unlink()
        said = "Tendril has saved the state that Terraform could not save."
    outcome.error_message = f"{outcome.error_message or ''} {said}".strip()


async def _work(
    job_type: JobType, terraform: Terraform, logger: JobLogger, outcome: Outcome
) -> None:
    destroy = job_type is JobType.DESTROY
    logger.say("init")
    await terraform.init()
    logger.say("plan -destroy" if destroy else "plan")
    plan = await terraform.plan(destroy=destroy)
    outcome.metadata["plan"] = plan.summary
    if job_type is not JobType.PLAN:
        logger.say("apply")
        await terraform.apply()
    if job_type is JobType.DEPLOY:
        outcome.outputs = await terraform.outputs()
