"""Two who want one job, sessions that die, a crowd: no job is lost, doubled or stuck."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import LiteralString
from uuid import UUID

import psycopg
import pytest

from support.queueing import Yard, claim
from support.sessions import Connection, code, race, until_blocked, value

START: LiteralString = "select (public.start_job(%s, %s)).status"
COMPLETE: LiteralString = "select (public.complete_job(%s, %s, 'SUCCESS')).status"
FAIL: LiteralString = "select (public.complete_job(%s, %s, 'FAILED')).status"
CANCEL: LiteralString = "select (public.cancel_job(%s)).status"
HEARTBEAT: LiteralString = "select public.heartbeat('1.0.0', 'ONLINE', %s)"
SIGN_OFF: LiteralString = "select public.heartbeat('1.0.0', 'OFFLINE')"
LOG: LiteralString = """
select public.append_job_logs(%s, %s, '[{"seq": 1, "log_chunk": "a", "stream_type": "STDOUT"}]')
"""


class Scene(Yard):
    """A vine with one job, a Tendril, and sessions of it and of the owner, in transactions."""

    def __init__(self, url: str, stack: ExitStack) -> None:
        super().__init__(url, stack)
        self.vine_id = self.vine()
        self.tendril_id = self.tendril()
        self.tendril_session = self.session(self.tendril_id, autocommit=False)
        self.owner_session = self.session(self.owner, autocommit=False)

    def running(self, job_type: str = "PLAN") -> tuple[UUID, int]:
        """A job that the Tendril has started."""
        self.enqueue(self.vine_id, job_type)
        found = claim(self.tendril_session, self.tendril_id)
        assert found is not None
        self.tendril_session.execute(START, found)
        self.tendril_session.commit()
        return found

    def vine_status(self) -> str:
        status: str = value(
            self.admin, "select status from public.vines where id = %s", self.vine_id
        )
        return status


@pytest.fixture
def scene(database: str) -> Iterator[Scene]:
    with ExitStack() as stack:
        yield Scene(database, stack)


def test_two_calls_with_one_key_make_one_job(scene: Scene) -> None:
    enqueue: LiteralString = "select (public.enqueue_job(%s, 'PLAN', 'key')).id"
    second = scene.session(scene.owner, autocommit=False)
    made: list[UUID] = []
    refusal = race(
        scene.admin,
        scene.owner_session,
        second,
        lambda session: made.append(value(session, enqueue, scene.vine_id)),
    )
    assert refusal is None
    assert made[0] == made[1]
    assert scene.statuses() == {"QUEUED": 1}
    assert scene.broken() == []


def test_what_is_cancelled_before_it_completes_completes_nevertheless(scene: Scene) -> None:
    job, attempt = scene.running("DEPLOY")
    refusal = race(
        scene.admin,
        scene.owner_session,
        scene.tendril_session,
        lambda session: session.execute(CANCEL, [job]),
        lambda session: session.execute(COMPLETE, [job, attempt]),
    )
    assert refusal is None
    assert (scene.job(job), scene.vine_status()) == ("SUCCESS", "ACTIVE")
    assert scene.broken() == []


def test_what_has_completed_is_not_cancelled(scene: Scene) -> None:
    job, attempt = scene.running("DEPLOY")
    refusal = race(
        scene.admin,
        scene.tendril_session,
        scene.owner_session,
        lambda session: session.execute(COMPLETE, [job, attempt]),
        lambda session: session.execute(CANCEL, [job]),
    )
    assert refusal is not None
    assert code(refusal) == "job_ended"
    assert (scene.job(job), scene.vine_status()) == ("SUCCESS", "ACTIVE")
    assert scene.broken() == []


def test_of_two_reports_of_one_end_the_second_changes_nothing(scene: Scene) -> None:
    job, attempt = scene.running()
    second = scene.session(scene.tendril_id, autocommit=False)
    refusal = race(
        scene.admin,
        scene.tendril_session,
        second,
        lambda session: session.execute(COMPLETE, [job, attempt]),
    )
    assert refusal is None
    with pytest.raises(psycopg.Error) as other:
        second.execute(FAIL, [job, attempt])
    assert code(other.value) == "lease_lost"
    assert scene.job(job) == "SUCCESS"


def test_a_job_that_is_being_cancelled_is_passed_over(scene: Scene) -> None:
    job = scene.enqueue(scene.vine_id)
    other = scene.enqueue(scene.vine())
    scene.owner_session.execute(CANCEL, [job])
    found = claim(scene.tendril_session, scene.tendril_id)
    assert found is not None
    assert found[0] == other
    scene.owner_session.commit()
    scene.tendril_session.commit()
    assert scene.broken() == []


def test_a_sweep_passes_over_a_tendril_whose_heartbeat_is_under_way(scene: Scene) -> None:
    job, _ = scene.running()
    scene.pass_time(61)
    scene.tendril_session.execute(HEARTBEAT, [[job]])
    other = scene.tendril()
    scene.session(other).execute(HEARTBEAT, [[]])
    scene.tendril_session.commit()
    assert scene.job(job) == "PROCESSING"
    status = value(scene.admin, "select status from workers where id = %s", scene.tendril_id)
    assert status == "ONLINE"


def test_a_heartbeat_that_waits_for_a_sweep_learns_what_it_lost(scene: Scene) -> None:
    job, _ = scene.running()
    scene.pass_time(61)
    sweeper = scene.session(scene.tendril(), autocommit=False)
    answers: list[dict[str, list[str]]] = []
    refusal = race(
        scene.admin,
        sweeper,
        scene.tendril_session,
        lambda session: session.execute(HEARTBEAT, [[]]),
        lambda session: answers.append(value(session, HEARTBEAT, [job])),
    )
    assert refusal is None
    assert answers[0]["lost_job_ids"] == [str(job)]
    assert scene.job(job) == "QUEUED"
    assert scene.broken() == []


def test_a_claim_that_waits_for_a_sweep_learns_that_it_is_offline(scene: Scene) -> None:
    scene.enqueue(scene.vine_id)
    # looks ONLINE to the claim, which then waits for who finds it silent
    sweeper = scene.session(scene.owner, autocommit=False)
    scene.admin.execute(
        "create or replace function tests.silence(uuid) returns void language sql security definer "
        "as $$ update public.workers set status = 'OFFLINE' where id = $1 $$"
    )
    found: list[object] = []
    refusal = race(
        scene.admin,
        sweeper,
        scene.tendril_session,
        lambda session: session.execute("select tests.silence(%s)", [scene.tendril_id]),
        lambda session: found.append(claim(session, scene.tendril_id)),
    )
    assert isinstance(refusal, psycopg.Error)
    assert code(refusal) == "worker_unavailable"
    assert found == []
    assert scene.statuses() == {"QUEUED": 1}


def test_who_signs_off_loses_its_jobs_even_while_their_vine_is_in_use(scene: Scene) -> None:
    job, _ = scene.running("DEPLOY")
    with scene.admin.transaction():
        scene.admin.execute(
            "select from public.vines where id = %s for no key update", [scene.vine_id]
        )
        scene.tendril_session.execute(SIGN_OFF)
        scene.tendril_session.commit()
    assert scene.job(job) == "PROCESSING"
    assert scene.broken() == []
    scene.pass_time(61, scene.tendril_id)
    scene.sweep()
    assert (scene.job(job), scene.vine_status()) == ("FAILED", "FAILED")
    assert scene.broken() == []


@pytest.mark.parametrize("job_type", ["PLAN", "DEPLOY"])
def test_a_session_that_dies_at_any_step_leaves_the_step_undone(
    scene: Scene, job_type: str
) -> None:
    job = scene.enqueue(scene.vine_id, job_type)
    steps: list[tuple[LiteralString, list[object], str]] = [
        ("select public.claim_next_job(%s)", [scene.tendril_id], "CLAIMED"),
        (START, [job, 1], "PROCESSING"),
        (LOG, [job, 1], "PROCESSING"),
        (HEARTBEAT, [[job]], "PROCESSING"),
        (COMPLETE, [job, 1], "SUCCESS"),
    ]
    of_job: LiteralString = "select to_jsonb(j) from public.provision_jobs as j where id = %s"
    for call, arguments, status in steps:
        before = value(scene.admin, of_job, job)
        dying = scene.session(scene.tendril_id, autocommit=False)
        dying.execute(call, arguments)
        pid = dying.info.backend_pid
        scene.admin.execute("select pg_terminate_backend(%s, 5000)", [pid])
        with pytest.raises(psycopg.OperationalError):
            dying.commit()
        assert value(scene.admin, of_job, job) == before
        assert scene.broken() == []
        # another session of the Tendril goes on where that one died
        again = scene.session(scene.tendril_id)
        again.execute(call, arguments)
        again.close()
        assert scene.job(job) == status
        assert scene.broken() == []


def test_a_vine_is_not_deleted_while_somebody_is_at_one_of_its_jobs(scene: Scene) -> None:
    job, attempt = scene.running()
    session = scene.tendril_session
    session.execute(LOG, [job, attempt])
    scene.owner_session.execute("set lock_timeout = '5s'")
    with pytest.raises(psycopg.Error) as refusal:
        scene.owner_session.execute("delete from public.vines where id = %s", [scene.vine_id])
    assert code(refusal.value) == "vine_busy"
    scene.owner_session.rollback()
    session.execute(COMPLETE, [job, attempt])
    session.commit()
    scene.owner_session.execute("delete from public.vines where id = %s", [scene.vine_id])
    scene.owner_session.commit()
    assert scene.statuses() == {}


def test_a_heartbeat_does_not_wait_for_who_is_at_a_lost_job(scene: Scene) -> None:
    job, attempt = scene.running()
    scene.pass_time(61)
    scene.tendril_session.execute(LOG, [job, attempt])
    other = scene.session(scene.tendril())
    other.execute("set lock_timeout = '5s'")
    other.execute(HEARTBEAT, [[]])
    assert scene.job(job) == "PROCESSING"
    scene.tendril_session.commit()
    scene.sweep()
    assert scene.job(job) == "QUEUED"
    assert scene.broken() == []


def test_a_deploy_ends_while_its_components_are_edited(scene: Scene) -> None:
    more = '{"network": {}, "queues": [{"name": "mail"}]}'
    plant: LiteralString = "select tests.plant(%s, 'shop', 'development', %s)"
    scene.vine_id = value(scene.admin, plant, scene.owner, more)
    job = scene.running("DEPLOY")
    held: LiteralString = "select from public.vine_network where vine_id = %s for update"
    edit: LiteralString = "update public.vine_queues set delay_seconds = 1 where vine_id = %s"
    network = scene.session(scene.owner, autocommit=False)
    network.execute("reset role")
    network.execute(held, [scene.vine_id])

    # it has locked the vine and waits for a component; the other one is edited meanwhile
    with ThreadPoolExecutor(2) as pool:
        ended = pool.submit(scene.tendril_session.execute, COMPLETE, job)
        until_blocked(scene.admin, scene.tendril_session, ended)
        edited = pool.submit(scene.owner_session.execute, edit, [scene.vine_id])
        until_blocked(scene.admin, scene.owner_session, edited)
        if edited.done():
            scene.owner_session.commit()
        network.commit()
        edited.result()
        ended.result()

    scene.owner_session.commit()
    scene.tendril_session.commit()
    assert (scene.job(job[0]), scene.vine_status()) == ("SUCCESS", "ACTIVE")
    assert scene.broken() == []


def test_who_waits_for_a_vine_to_enqueue_holds_up_nobody(scene: Scene) -> None:
    lost, _ = scene.running()
    wanted = scene.vine()
    scene.pass_time(61)
    second = scene.session(scene.owner, autocommit=False)
    free: LiteralString = "select from public.provision_jobs where id = %s for update nowait"
    refusal = race(
        scene.admin,
        scene.owner_session,
        second,
        lambda session: session.execute(
            "update public.vines set region = region where id = %s", [wanted]
        ),
        lambda session: session.execute("select public.enqueue_job(%s, 'PLAN')", [wanted]),
        lambda _: scene.admin.execute(free, [lost]),
    )
    assert refusal is None
    assert scene.job(lost) == "QUEUED"
    assert scene.broken() == []


def identity_and_test(scene: Scene, asked_by: UUID) -> tuple[UUID, tuple[UUID, int]]:
    """A cloud identity of no vine, and its test, which the Tendril has started."""
    identity: UUID = value(
        scene.admin,
        "insert into public.cloud_identities (account_id, provider, name) "
        "values (%s, 'local', 'spare') returning id",
        scene.account,
    )
    enqueue: LiteralString = "select public.enqueue_identity_job(%s, 'CONNECTION_TEST')"
    scene.session(asked_by).execute(enqueue, [identity])
    found = claim(scene.tendril_session, scene.tendril_id)
    assert found is not None
    scene.tendril_session.execute(START, found)
    scene.tendril_session.execute("select public.get_job_context(%s, %s)", found)
    scene.tendril_session.commit()
    return identity, found


def test_a_cloud_identity_is_not_deleted_while_its_test_runs(scene: Scene) -> None:
    identity, job = identity_and_test(scene, scene.owner)
    scene.tendril_session.execute(LOG, job)
    scene.owner_session.execute("set lock_timeout = '5s'")
    with pytest.raises(psycopg.Error) as refusal:
        scene.owner_session.execute("delete from public.cloud_identities where id = %s", [identity])
    assert code(refusal.value) == "cloud_identity_busy"
    scene.owner_session.rollback()
    scene.tendril_session.execute(COMPLETE, job)
    scene.tendril_session.commit()
    verified: LiteralString = "select is_verified from public.cloud_identities where id = %s"
    assert value(scene.admin, verified, identity)


def test_credentials_that_are_just_changing_were_not_tested(scene: Scene) -> None:
    identity, job = identity_and_test(scene, scene.owner)
    change: LiteralString = (
        'update public.cloud_identities set credentials = \'{"key": "other"}\' where id = %s'
    )
    late = race(
        scene.admin,
        scene.session(scene.owner, autocommit=False),
        scene.tendril_session,
        lambda session: session.execute(change, [identity]),
        lambda session: session.execute(COMPLETE, job),
    )
    assert late is None
    verified: LiteralString = "select is_verified from public.cloud_identities where id = %s"
    assert not value(scene.admin, verified, identity)


def test_a_user_whose_job_is_just_ending_goes_after_it(scene: Scene) -> None:
    # another admin's job and Tendril, which do not go with the user
    colleague: UUID = value(scene.admin, "select tests.sign_up('colleague')")
    join: LiteralString = "select tests.join_account(%s, %s, 'admin')"
    scene.admin.execute(join, [scene.owner, colleague])
    lend: LiteralString = "update public.workers set user_id = %s where id = %s"
    scene.admin.execute(lend, [colleague, scene.tendril_id])
    _, job = identity_and_test(scene, colleague)
    user = scene.session(scene.owner, autocommit=False)
    user.execute("reset role")
    user.commit()
    late = race(
        scene.admin,
        scene.tendril_session,
        user,
        lambda session: session.execute("select public.get_terraform_state(%s, %s)", job),
        lambda session: session.execute("delete from auth.users where id = %s", [scene.owner]),
        lambda session: session.execute(COMPLETE, job),
    )
    assert late is None
    assert scene.statuses() == {}


def test_two_tendrils_who_wake_at_once_do_not_wait_for_each_other(own_database: str) -> None:
    # whoever finds another lost is held up there until both are at it
    slow: LiteralString = """
      create function tests.tg_hold_up() returns trigger language plpgsql security definer as $$
      begin
        perform pg_advisory_xact_lock_shared(4711);
        return new;
      end $$;
      create trigger hold_up before update on public.workers for each row
      when (new.status = 'OFFLINE') execute function tests.tg_hold_up()
    """
    with ExitStack() as stack:
        yard = Yard(own_database, stack)
        yard.enqueue(yard.vine())
        tendrils = [yard.tendril(), yard.tendril()]
        sessions = [yard.session(tendril) for tendril in tendrils]
        yard.admin.execute(slow)
        # who has been silent for longer is found first: each finds the other
        yard.pass_time(100)
        yard.pass_time(100, tendrils[1])
        yard.admin.execute("select pg_advisory_lock(4711)")
        refused: list[psycopg.Error] = []

        def wake(at: int) -> None:
            try:
                claim(sessions[at], tendrils[at])
            except psycopg.Error as error:
                refused.append(error)

        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(wake, 0)
            until_blocked(yard.admin, sessions[0], first)
            second = pool.submit(wake, 1)
            until_blocked(yard.admin, sessions[1], second)
            yard.admin.execute("select pg_advisory_unlock(4711)")
        assert [code(error) for error in refused] == ["worker_unavailable"] * 2
        assert yard.broken() == []


class Crowd:
    """Many who do all kinds of things to the jobs of a few vines."""

    def __init__(self, yard: Yard) -> None:
        self.yard = yard
        self.vines = [yard.vine() for _ in range(4)]
        self.tendrils = [yard.tendril() for _ in range(3)]

    def user(self, seed: int) -> Counter[str]:
        """Enqueues and cancels."""
        dice = random.Random(seed)  # noqa: S311
        session = self.yard.session(self.yard.owner)
        seen: Counter[str] = Counter()
        for _ in range(60):
            if dice.random() < 0.7:
                kind = dice.choice(["PLAN", "PLAN", "DEPLOY", "DESTROY"])
                enqueue: LiteralString = "select public.enqueue_job(%s, %s)"
                self.tried(seen, session, enqueue, [dice.choice(self.vines), kind])
            else:
                newest: LiteralString = (
                    "select public.cancel_job(id) from public.provision_jobs "
                    "where status in ('QUEUED', 'CLAIMED', 'PROCESSING') and account_id = %s "
                    "order by random() limit 1"
                )
                self.tried(seen, session, newest, [self.yard.account])
        return seen

    def worker(self, seed: int) -> Counter[str]:
        """Claims, starts and completes, and now and then forgets what it holds."""
        dice = random.Random(seed)  # noqa: S311
        tendril = self.tendrils[seed % len(self.tendrils)]
        session = self.yard.session(tendril)
        seen: Counter[str] = Counter()
        for _ in range(40):
            try:
                found = claim(session, tendril)
            except psycopg.Error as error:
                seen[str(code(error))] += 1
                self.tried(seen, session, HEARTBEAT, [[]])
                continue
            if found is None:
                continue
            self.tried(seen, session, START, found)
            if dice.random() < 0.2:
                continue
            if dice.random() < 0.3:
                self.tried(seen, session, HEARTBEAT, [[found[0]]])
            self.tried(seen, session, COMPLETE if dice.random() < 0.7 else FAIL, found)
        return seen

    def clock(self, seed: int) -> Counter[str]:
        """Lets Tendrils fall silent, and jobs run over their time."""
        dice = random.Random(seed)  # noqa: S311
        session = self.yard.session(self.yard.tendril())
        seen: Counter[str] = Counter()
        for _ in range(30):
            self.yard.pass_time(dice.choice([16, 61, 400, 20000]), dice.choice(self.tendrils))
            self.tried(seen, session, HEARTBEAT, [[]])
        return seen

    @staticmethod
    def tried(
        seen: Counter[str], session: Connection, query: LiteralString, arguments: Sequence[object]
    ) -> None:
        try:
            session.execute(query, arguments)
            seen["ok"] += 1
        except psycopg.Error as error:
            seen[str(code(error))] += 1


def test_a_crowd_neither_deadlocks_nor_breaks_a_rule(database: str) -> None:
    refusals = {
        "ok",
        "illegal_transition",
        "job_ended",
        "lease_lost",
        "vine_busy",
        "vine_destroyed",
        "vine_not_destroyable",
        "worker_unavailable",
    }
    with ExitStack() as stack:
        yard = Yard(database, stack)
        crowd = Crowd(yard)
        parts = [crowd.user] * 3 + [crowd.worker] * 6 + [crowd.clock]
        with ThreadPoolExecutor(len(parts)) as pool:
            turns = [pool.submit(part, seed) for seed, part in enumerate(parts)]
            seen = sum((turn.result() for turn in turns), Counter[str]())
        assert set(seen) <= refusals
        assert yard.broken() == []
        # whatever is left comes to its end
        tendril = yard.tendril()
        session = yard.session(tendril)
        for _ in range(4):
            yard.pass_time(20000)
            yard.sweep()
            session.execute(HEARTBEAT, [[]])
            while (found := claim(session, tendril)) is not None:
                started: Counter[str] = Counter()
                crowd.tried(started, session, START, found)
                # a PLAN of a vine that is DESTROYED does not start
                assert set(started) <= {"ok", "vine_destroyed"}
                session.execute(COMPLETE if started["ok"] else FAIL, found)
        assert set(yard.statuses()) <= {"SUCCESS", "FAILED", "CANCELLED"}
        assert yard.broken() == []
