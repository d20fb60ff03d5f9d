# Made by scripts/generate_sync.py from tests/py/client/_async/test_lists.py: run `make sync`.
"""Lists: filtered, ordered, and read to their end however long they are."""

from __future__ import annotations

from decimal import Decimal
from uuid import uuid4

import pytest

from support._sync.people import plant
from vintner_client import Vintner, errors
from vintner_client.models import (
    AuditAction,
    Cache,
    CacheEngine,
    Component,
    ComponentStatus,
    Network,
    VineStatus,
)


def test_lists_go_beyond_what_one_answer_holds(ann: Vintner) -> None:
    vine = plant(ann)
    names = [f"topic-{number:04}" for number in range(1005)]
    (
        ann.table("vine_topics")
        .insert([{"vine_id": str(vine.id), "name": name} for name in names])
        .execute()
    )

    entries = ann.audit.list(vine_id=vine.id).all()

    # the vine and its network, and each topic
    assert len({entry.id for entry in entries}) == len(entries) == 2 + len(names)


def test_lists_are_filtered_and_ordered(ann: Vintner) -> None:
    for name in ("b", "a", 'c, "d"\\'):
        ann.vineyards.create(name=name)

    assert [found.name for found in ann.vineyards.list()] == ["a", "b", 'c, "d"\\']
    newest = ann.vineyards.list(order="-created_at").take(2)
    assert [found.name for found in newest] == ['c, "d"\\', "a"]
    odd = ann.vineyards.list(name='c, "d"\\').first()
    assert odd is not None
    assert ann.vineyards.list(name="e").first() is None
    statuses = [VineStatus.DRAFT, VineStatus.QUEUED]
    vine = plant(ann)
    assert ann.vines.list(status=statuses).all() == [vine]
    assert ann.vines.list(status=[VineStatus.ACTIVE]).all() == []


def test_a_list_is_read_page_by_page(ann: Vintner, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two rows a page, equal in what they are ordered by first."""
    monkeypatch.setattr("vintner_client._async.rows.PAGE", 2)
    vine = plant(ann)
    jobs = [ann.vines.plan(vine.id) for _ in range(5)]

    newest_first = [job.id for job in ann.jobs.list(vine_id=vine.id)]
    assert newest_first == [job.id for job in reversed(jobs)]
    oldest_first = ann.jobs.list(vine_id=vine.id, order="created_at").all()
    assert [job.id for job in oldest_first] == [job.id for job in jobs]
    stages = ("staging", "production", "development")
    for stage in stages:
        plant(ann, environment_stage=stage)
    listed = [found.environment_stage for found in ann.vines.list()]
    assert listed == ["development", "development", "staging", "production"]


def test_components_are_listed_by_kind(ann: Vintner) -> None:
    caches = [{"name": "sessions", "engine": "valkey"}, {"name": "pages"}]
    first = plant(ann, caches=caches, databases=[{"name": "main"}])
    second = plant(ann, caches=[{"name": "pages"}])

    found = ann.vines.components_of(Cache).all()
    assert [cache.name for cache in found] == ["pages", "pages", "sessions"]
    assert found[-1].engine is CacheEngine.VALKEY
    assert isinstance((ann.vines.components(first.id)).databases[0].min_capacity, Decimal)
    of_one = ann.vines.components_of(Cache, vine_id=second.id).all()
    assert [cache.vine_id for cache in of_one] == [second.id]
    assert ann.vines.components_of(Cache, name="sessions").take(5) == [found[-1]]
    assert ann.vines.components_of(Cache, status=ComponentStatus.ACTIVE).first() is None
    networks = [network.vine_id for network in ann.vines.components_of(Network)]
    assert set(networks) == {first.id, second.id}
    with pytest.raises(errors.InvalidInput, match="Component is no kind of component"):
        ann.vines.components_of(Component)
    with pytest.raises(errors.InvalidInput, match="name"):
        ann.vines.components_of(Network, name="x").all()


def test_a_vine_has_all_its_components_however_many(ann: Vintner) -> None:
    vine = plant(ann)
    rows = [{"vine_id": str(vine.id), "name": f"topic-{number:04}"} for number in range(1005)]
    ann.table("vine_topics").insert(rows).execute()
    assert len((ann.vines.components(vine.id)).topics) == 1005


def test_the_audit_log_is_filtered_and_ordered(ann: Vintner) -> None:
    vine = plant(ann)
    ann.vines.plan(vine.id)
    oldest_first = ann.audit.list(vine_id=vine.id).all()
    assert ann.audit.list(vine_id=vine.id, order="-created_at").all() == oldest_first[::-1]
    kinds = [AuditAction.CREATED, AuditAction.DELETED]
    made = ann.audit.list(action=kinds, user_id=ann.auth.user_id).all()
    assert {entry.action for entry in made} == {AuditAction.CREATED}
    assert ann.audit.list(user_id=uuid4()).all() == []
