# Made by scripts/generate_sync.py from tests/py/client/_async/test_lease.py: run `make sync`.
"""What a Tendril says about the job it holds."""

from __future__ import annotations

import json

import pytest

from support._sync.people import plant
from vintner_client import Vintner, errors
from vintner_client.models import (
    Job,
    JobStatus,
    NewLogChunk,
    StreamType,
    VineStatus,
    WorkerStatus,
)


def chunk(seq: int, text: str = "line\n") -> NewLogChunk:
    return NewLogChunk(seq=seq, log_chunk=text, stream_type=StreamType.STDOUT)


def claimed(ann: Vintner, tendril: Vintner) -> Job:
    vine = plant(ann)
    ann.vines.harvest(vine.id)
    job = tendril.lease.claim_next_job()
    assert job is not None
    return job


def test_a_job_goes_from_claim_to_success(ann: Vintner, tendril: Vintner) -> None:
    assert tendril.lease.claim_next_job() is None
    vine = plant(ann)
    queued = ann.vines.harvest(vine.id)

    job = tendril.lease.claim_next_job()
    assert job is not None
    assert (job.id, job.status, job.attempt) == (queued.id, JobStatus.CLAIMED, 1)
    context = tendril.lease.context(job)
    assert context.vine.name_prefix == "shop-development"
    assert context.vine.state_path == f"development/shop/{vine.id}"
    assert context.components["network"]["cidr_block"] == "10.0.0.0/16"
    assert context.next_log_seq == 1

    assert (tendril.lease.start_job(job)).status is JobStatus.PROCESSING
    assert (ann.vines.get(vine.id)).status is VineStatus.PROVISIONING
    assert tendril.lease.append_logs(job, [chunk(1), chunk(2)]) == 3
    assert tendril.lease.append_logs(job, [chunk(2, "other\n"), chunk(3)]) == 4
    done = tendril.lease.complete_job(
        job,
        status=JobStatus.SUCCESS,
        outputs={"network": {"network_id": "vpc-1"}},
        execution_metadata={"seconds": 1},
    )

    assert done.status is JobStatus.SUCCESS
    assert done.execution_metadata["seconds"] == 1
    assert (ann.vines.get(vine.id)).status is VineStatus.ACTIVE
    network = (ann.vines.components(vine.id)).network
    assert network is not None
    assert network.network_id == "vpc-1"
    log = ann.jobs.logs(job.id).all()
    assert [(c.seq, c.log_chunk) for c in log] == [(1, "line\n"), (2, "line\n"), (3, "line\n")]
    assert [c.seq for c in ann.jobs.logs(job.id, from_seq=3).all()] == [3]


def test_a_lost_lease_is_told_at_each_call(ann: Vintner, tendril: Vintner) -> None:
    job = claimed(ann, tendril)
    tendril.lease.start_job(job)
    tendril.lease.complete_job(job, status=JobStatus.FAILED, error_message="no")

    lease = tendril.lease
    for late in (
        lambda: lease.start_job(job),
        lambda: lease.context(job),
        lambda: lease.append_logs(job, [chunk(1)]),
        lambda: lease.complete_job(job, status=JobStatus.SUCCESS),
        lambda: lease.get_state(job),
        lambda: lease.lock_state(job, {"ID": "1"}),
    ):
        with pytest.raises(errors.LeaseLost):
            late()


def test_another_attempt_is_another_lease(ann: Vintner, tendril: Vintner) -> None:
    job = claimed(ann, tendril)
    with pytest.raises(errors.LeaseLost):
        tendril.lease.start_job(job.model_copy(update={"attempt": 2}))


def test_a_heartbeat_carries_commands(ann: Vintner, tendril: Vintner) -> None:
    job = claimed(ann, tendril)
    tendril.lease.start_job(job)
    ann.jobs.cancel(job.id)

    answer = tendril.lease.heartbeat(version="1.0.0", running_job_ids=[job.id])

    assert answer.cancel_job_ids == [job.id]
    assert answer.lost_job_ids == []
    assert answer.lease_seconds > answer.interval_seconds > 0


def test_a_draining_tendril_claims_nothing(ann: Vintner, tendril: Vintner) -> None:
    tendril.lease.heartbeat(version="1.0.0", status=WorkerStatus.DRAINING)
    with pytest.raises(errors.WorkerUnavailable):
        tendril.lease.claim_next_job()


def test_people_are_no_tendrils(ann: Vintner) -> None:
    with pytest.raises(errors.NotAllowed):
        ann.lease.heartbeat(version="1.0.0")


def test_terraform_state_is_locked_kept_and_guarded(ann: Vintner, tendril: Vintner) -> None:
    job = claimed(ann, tendril)
    tendril.lease.start_job(job)
    lease = tendril.lease
    state = json.dumps({"lineage": "l", "serial": 2, "text": "ä\n"}, ensure_ascii=False)
    assert lease.get_state(job) is None
    with pytest.raises(errors.StateConflict):
        lease.put_state(job, state, "lock-1")

    assert lease.lock_state(job, {"ID": "lock-1", "Who": "ann"}) is None
    assert lease.lock_state(job, {"ID": "lock-2"}) == {"ID": "lock-1", "Who": "ann"}
    lease.put_state(job, state, "lock-1")

    assert lease.get_state(job) == state
    with pytest.raises(errors.StateConflict):
        lease.put_state(job, state.replace("2", "1"), "lock-1")
    lease.unlock_state(job, "lock-1")
    assert lease.lock_state(job, {"ID": "lock-2"}) is None
