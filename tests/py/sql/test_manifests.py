"""apply_manifest: random manifests on random states, and sessions that apply at once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.sessions import Connection, act_as, code, race, until_blocked, value

Json = dict[str, Any]

NOTHING: Json = {"create": [], "change": [], "remove": []}
APPLY = "select public.apply_manifest(%s, %s)"
VINES = """
    select v.id, v.project_name || '/' || v.environment_stage, v.status::text, to_jsonb(v)
    from public.vines as v where v.vineyard_id = (
      select y.id from public.vineyards as y where y.user_id = %s and y.name = %s
    )
"""
AUDITED = """
    select count(*) from public.vine_audit_log
    where account_id = (select id from public.accounts where personal_user_id = %s)
"""
VINEYARD = """
    select y.name from public.vineyards as y
    where y.id = (select v.vineyard_id from public.vines as v where v.id = %s)
"""

# few names, so that what is wanted and what stands meet often; null and no value both stand for
# the default
names = st.sampled_from(["a", "b", "c"])
json_objects = st.dictionaries(
    st.sampled_from(["k", "l"]), st.sampled_from([None, 1, 1.5, "x", {"deep": None}]), max_size=2
)
columns_of: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "network": {
        "cidr_block": st.sampled_from(["10.0.0.0/16", "10.1.0.0/16"]),
        "single_nat_gateway": st.booleans(),
        "allowed_cidr_blocks": st.lists(st.just("10.0.0.0/8"), max_size=1),
        "network_id": st.just("vpc-1"),
        "provision_network": st.just(True),
    },
    "cluster": {"node_max_size": st.sampled_from([9, 10]), "provider_config": json_objects},
    "repositories": {"apps_template_repo": st.sampled_from(["x", "y"])},
    "databases": {
        "port": st.sampled_from([5432, 5433.0]),
        "max_capacity": st.sampled_from([16, 16.0, 20.5]),
    },
    "caches": {"engine": st.sampled_from(["redis", "valkey"]), "multi_az": st.booleans()},
    "topics": {"subscriptions": st.lists(json_objects, max_size=1)},
}


def rows(kind: str) -> st.SearchStrategy[Any]:
    """A kind of component as a manifest holds it, or null."""
    optional = {column: st.none() | given for column, given in columns_of[kind].items()}
    if kind in ("network", "cluster", "repositories"):
        return st.none() | st.fixed_dictionaries({}, optional=optional)
    row = st.fixed_dictionaries({"name": names}, optional=optional)
    return st.none() | st.lists(row, max_size=2, unique_by=lambda row: row["name"])


named: dict[str, st.SearchStrategy[Any]] = {
    "project_name": st.sampled_from(["shop", "blog"]),
    "environment_stage": st.sampled_from(["development", "production"]),
    "region": st.just("eu-west-1"),
}
made_of: dict[str, st.SearchStrategy[Any]] = {kind: rows(kind) for kind in columns_of}
made_of["terraform_version"] = st.sampled_from(["1.11.4", "1.12.0"])
vines = st.fixed_dictionaries(named, optional=made_of)


def label(vine: Json) -> str:
    """A vine of a manifest, by name."""
    return f"{vine['project_name']}/{vine['environment_stage']}"


described: dict[str, st.SearchStrategy[Any]] = {
    "name": st.just("main"),
    "vines": st.lists(vines, max_size=3, unique_by=label),
}
manifests = st.fixed_dictionaries(
    described,
    optional={"description": st.none() | st.sampled_from(["x", "y"])},
)
statuses = st.lists(st.sampled_from(["DRAFT", "ACTIVE", "PROVISIONING", "DESTROYED"]), max_size=4)


@pytest.fixture
def admin(database: str) -> Iterator[Connection]:
    """A session that may do anything."""
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection


def apply(connection: Connection, manifest: Json, *, dry_run: bool = False) -> Json:
    """Applies a manifest as whoever the session speaks as, and gives the difference."""
    difference: Json = value(connection, APPLY, json.dumps(manifest), dry_run)
    return difference


def written(difference: Json) -> Json:
    """What an apply did, without what is left to a destroy."""
    return {action: difference[action] for action in NOTHING}


def components(connection: Connection, vine_id: UUID) -> Json:
    """What a vine is made of."""
    found: Json = value(connection, "select private.describe_components(%s)", vine_id)
    return found


def standing(connection: Connection, owner: UUID, vineyard: str) -> dict[str, tuple[str, Json]]:
    """All vines of a vineyard by name, but for records: their own columns and their components."""
    return {
        name: (status, {"vine": vine, "components": components(connection, vine_id)})
        for vine_id, name, status, vine in connection.execute(VINES, [owner, vineyard]).fetchall()
        if status != "DESTROYED"
    }


@given(before=manifests, status=statuses, wanted=manifests)
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_a_manifest_decides_what_stands(
    admin: Connection, before: Json, status: list[str], wanted: Json
) -> None:
    with admin.transaction(force_rollback=True):
        owner = value(admin, "select tests.sign_up('owner')")
        admin.execute("select tests.act_as(%s)", [owner])
        apply(admin, before)
        admin.execute("select tests.act_as_owner()")
        admin.execute("set local session_replication_role = replica")
        for (vine_id, *_), to in zip(
            admin.execute(VINES, [owner, "main"]).fetchall(), status, strict=False
        ):
            admin.execute("update public.vines set status = %s where id = %s", [to, vine_id])
        admin.execute("set local session_replication_role = origin")
        stood = standing(admin, owner, "main")
        told = value(admin, AUDITED, owner)

        admin.execute("select tests.act_as(%s)", [owner])
        foretold = apply(admin, wanted, dry_run=True)
        admin.execute("select tests.act_as_owner()")
        assert standing(admin, owner, "main") == stood
        assert value(admin, AUDITED, owner) == told

        admin.execute("select tests.act_as(%s)", [owner])
        done = apply(admin, wanted)
        assert done == foretold
        again = apply(admin, wanted)
        assert written(again) == NOTHING
        assert again["needs_destroy"] == done["needs_destroy"]

        # each vine is what planting it anew would make
        apply(admin, {"name": "other", "vines": wanted["vines"]})
        admin.execute("select tests.act_as_owner()")
        stands, planted = standing(admin, owner, "main"), standing(admin, owner, "other")
        kept = {name: stands.pop(name) for name in [*stands] if name not in planted}
        assert [entry["vine"] for entry in done["needs_destroy"]] == sorted(kept)
        assert all(kept[name] == stood[name] for name in kept)
        assert stands.keys() == planted.keys()
        for name, (_, vine) in stands.items():
            assert vine["components"] == planted[name][1]["components"]


def test_two_applies_of_one_manifest_come_to_one_result(database: str, admin: Connection) -> None:
    owner = value(admin, "select tests.sign_up('owner')")
    vine = {"project_name": "shop", "region": "eu-west-1", "databases": [{"name": "main"}]}
    manifest = {"name": "main", "vines": [vine]}
    told: list[Json] = []
    with psycopg.connect(database) as first, psycopg.connect(database) as second:
        act_as(first, owner)
        act_as(second, owner)
        first.commit()
        second.commit()

        def act(connection: Connection) -> None:
            told.append(written(apply(connection, manifest)))

        assert race(admin, first, second, act) is None
        assert [len(difference["create"]) for difference in told] == [3, 0]
        assert told[1] == NOTHING

        # and of two manifests the later one decides
        port = {**vine, "databases": [{"name": "main", "port": 1}]}
        gone = {**vine, "databases": None}
        assert (
            race(
                admin,
                first,
                second,
                lambda connection: apply(connection, {"name": "main", "vines": [port]}),
                lambda connection: told.append(
                    apply(connection, {"name": "main", "vines": [gone]})
                ),
            )
            is None
        )
    assert told[-1]["remove"] == [{"type": "database", "vine": "shop/development", "name": "main"}]
    (shop,) = standing(admin, owner, "main").values()
    assert shop[1]["components"]["databases"] == []


@pytest.fixture
def deploying(admin: Connection) -> tuple[UUID, UUID, UUID, UUID]:
    """An owner, a vine of his whose DEPLOY runs, its job and the Tendril."""
    owner = value(admin, "select tests.sign_up('owner')")
    more = json.dumps({"databases": [{"name": "main"}, {"name": "reports"}]})
    vine = value(admin, "select tests.plant(%s, p_more => %s)", owner, more)
    tendril = value(admin, "select tests.tendril(%s)", owner)
    with admin.transaction():
        admin.execute("select tests.act_as(%s)", [owner])
        job = value(admin, "select (public.enqueue_job(%s, 'DEPLOY')).id", vine)
        admin.execute("select tests.act_as(%s)", [tendril])
        admin.execute("select public.claim_next_job(%s)", [tendril])
        admin.execute("select public.start_job(%s, 1)", [job])
    return owner, vine, job, tendril


@pytest.mark.parametrize("job_is_first", [True, False])
def test_an_apply_and_the_end_of_a_job_wait_for_each_other(
    database: str,
    admin: Connection,
    deploying: tuple[UUID, UUID, UUID, UUID],
    job_is_first: bool,
) -> None:
    owner, vine, job, tendril = deploying
    name = value(admin, VINEYARD, vine)
    manifest = {
        "name": name,
        "vines": [
            {
                "project_name": "shop",
                "region": "eu-west-1",
                "databases": [{"name": n, "port": 1} for n in ("reports", "main")],
            }
        ],
    }
    outputs = json.dumps({"databases": {"main": {"endpoint": "here"}}})

    def complete(connection: Connection) -> None:
        end = "select public.complete_job(%s, 1, 'SUCCESS', p_outputs => %s)"
        connection.execute(end, [job, outputs])

    def change(connection: Connection) -> None:
        assert len(apply(connection, manifest)["change"]) == 2

    with psycopg.connect(database) as user, psycopg.connect(database) as worker:
        act_as(user, owner)
        act_as(worker, tendril)
        user.commit()
        worker.commit()
        if job_is_first:
            assert race(admin, worker, user, complete, change) is None
        else:
            assert race(admin, user, worker, change, complete) is None
    found = admin.execute(
        "select name, port, status::text, endpoint from public.vine_databases "
        "where vine_id = %s order by name",
        [vine],
    ).fetchall()
    assert found == [("main", 1, "ACTIVE", "here"), ("reports", 1, "ACTIVE", None)]


def test_the_end_of_a_job_takes_its_vine_before_its_components(
    database: str, admin: Connection, deploying: tuple[UUID, UUID, UUID, UUID]
) -> None:
    owner, vine, job, tendril = deploying
    with psycopg.connect(database) as user, psycopg.connect(database) as worker:
        act_as(user, owner)
        act_as(worker, tendril)
        user.commit()
        worker.commit()
        user.execute("select from public.vines where id = %s for update", [vine])
        with ThreadPoolExecutor(1) as pool:
            complete = "select public.complete_job(%s, 1, 'SUCCESS')"
            ended = pool.submit(worker.execute, complete, [job])
            until_blocked(admin, worker, ended)
            assert not ended.done(), "it did not wait for the vine"
            # a deadlock, if it held them already
            user.execute("update public.vine_databases set port = 2 where vine_id = %s", [vine])
            user.commit()
            ended.result()
        worker.commit()
    assert value(admin, "select status::text from public.vines where id = %s", vine) == "ACTIVE"


def test_an_apply_holds_the_vines_that_it_leaves_alone(
    database: str, admin: Connection, deploying: tuple[UUID, UUID, UUID, UUID]
) -> None:
    owner, vine, job, tendril = deploying
    admin.execute("delete from public.vine_databases where vine_id = %s", [vine])
    name = value(admin, VINEYARD, vine)
    manifest = {"name": name, "vines": [{"project_name": "shop", "region": "eu-west-1"}]}

    def leave_alone(connection: Connection) -> None:
        assert written(apply(connection, manifest)) == NOTHING

    def complete(connection: Connection) -> None:
        connection.execute("select public.complete_job(%s, 1, 'SUCCESS')", [job])

    with psycopg.connect(database) as user, psycopg.connect(database) as worker:
        act_as(user, owner)
        act_as(worker, tendril)
        user.commit()
        worker.commit()
        assert race(admin, user, worker, leave_alone, complete) is None


def test_an_apply_and_who_edits_a_component_do_not_wait_for_each_other(
    database: str, admin: Connection, deploying: tuple[UUID, UUID, UUID, UUID]
) -> None:
    owner, vine, _, _ = deploying
    manifest = {
        "name": value(admin, VINEYARD, vine),
        "vines": [{"project_name": "shop", "region": "eu-west-1"}],
    }
    ids = "select id from public.vine_databases where vine_id = %s order by id"
    first, second = [row[0] for row in admin.execute(ids, [vine]).fetchall()]
    edit = "update public.vine_databases set port = 2 where id = %s"

    with ExitStack() as stack:
        holder, user, editor = (
            stack.enter_context(psycopg.connect(database, autocommit=autocommit))
            for autocommit in (False, True, True)
        )
        act_as(user, owner)
        act_as(editor, owner)
        holder.execute("select from public.vine_databases where id = %s for update", [first])
        # it has locked the vine and waits for a component; the other one is edited meanwhile
        with ThreadPoolExecutor(2) as pool:
            applied = pool.submit(apply, user, manifest)
            until_blocked(admin, user, applied)
            edited = pool.submit(editor.execute, edit, [second])
            until_blocked(admin, editor, edited)
            holder.commit()
            edited.result()
            assert len(applied.result()["remove"]) == 2


def test_no_component_joins_a_vine_that_is_just_destroyed(
    database: str, admin: Connection, deploying: tuple[UUID, UUID, UUID, UUID]
) -> None:
    owner, vine, job, tendril = deploying
    with admin.transaction():
        admin.execute("select tests.act_as(%s)", [tendril])
        admin.execute("select public.complete_job(%s, 1, 'SUCCESS')", [job])
        admin.execute("select tests.act_as(%s)", [owner])
        job = value(admin, "select (public.enqueue_job(%s, 'DESTROY')).id", vine)
        admin.execute("select tests.act_as(%s)", [tendril])
        admin.execute("select public.claim_next_job(%s)", [tendril])
        admin.execute("select public.start_job(%s, 1)", [job])

    def complete(connection: Connection) -> None:
        connection.execute("select public.complete_job(%s, 1, 'SUCCESS')", [job])

    def add(connection: Connection) -> None:
        queue = "insert into public.vine_queues (vine_id, name) values (%s, %s)"
        connection.execute(queue, [vine, "late"])

    with psycopg.connect(database) as user, psycopg.connect(database) as worker:
        act_as(user, owner)
        act_as(worker, tendril)
        user.commit()
        worker.commit()
        refused = race(admin, worker, user, complete, add)
    assert refused is not None
    assert code(refused) == "vine_destroyed"
    status = value(admin, "select status::text from public.vines where id = %s", vine)
    assert status == "DESTROYED"
