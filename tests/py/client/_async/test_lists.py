"""Lists: filtered, ordered, and read to their end however long they are."""

from __future__ import annotations

from decimal import Decimal
from uuid import uuid4

import pytest

from support._async.people import plant
from vintner_client import AsyncVintner, errors
from vintner_client.models import (
    AuditAction,
    Cache,
    CacheEngine,
    Component,
    ComponentStatus,
    Network,
    VineStatus,
)


async def test_lists_go_beyond_what_one_answer_holds(ann: AsyncVintner) -> None:
    vine = await plant(ann)
    names = [f"topic-{number:04}" for number in range(1005)]
    await (
        ann.table("vine_topics")
        .insert([{"vine_id": str(vine.id), "name": name} for name in names])
        .execute()
    )

    entries = await ann.audit.list(vine_id=vine.id).all()

    # the vine and its network, and each topic
    assert len({entry.id for entry in entries}) == len(entries) == 2 + len(names)


async def test_lists_are_filtered_and_ordered(ann: AsyncVintner) -> None:
    for name in ("b", "a", 'c, "d"\\'):
        await ann.vineyards.create(name=name)

    assert [found.name async for found in ann.vineyards.list()] == ["a", "b", 'c, "d"\\']
    newest = await ann.vineyards.list(order="-created_at").take(2)
    assert [found.name for found in newest] == ['c, "d"\\', "a"]
    odd = await ann.vineyards.list(name='c, "d"\\').first()
    assert odd is not None
    assert await ann.vineyards.list(name="e").first() is None
    statuses = [VineStatus.DRAFT, VineStatus.QUEUED]
    vine = await plant(ann)
    assert await ann.vines.list(status=statuses).all() == [vine]
    assert await ann.vines.list(status=[VineStatus.ACTIVE]).all() == []


async def test_a_list_is_read_page_by_page(
    ann: AsyncVintner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two rows a page, equal in what they are ordered by first."""
    monkeypatch.setattr("vintner_client._async.rows.PAGE", 2)
    vine = await plant(ann)
    jobs = [await ann.vines.plan(vine.id) for _ in range(5)]

    newest_first = [job.id async for job in ann.jobs.list(vine_id=vine.id)]
    assert newest_first == [job.id for job in reversed(jobs)]
    oldest_first = await ann.jobs.list(vine_id=vine.id, order="created_at").all()
    assert [job.id for job in oldest_first] == [job.id for job in jobs]
    stages = ("staging", "production", "development")
    for stage in stages:
        await plant(ann, environment_stage=stage)
    listed = [found.environment_stage async for found in ann.vines.list()]
    assert listed == ["development", "development", "staging", "production"]


async def test_components_are_listed_by_kind(ann: AsyncVintner) -> None:
    caches = [{"name": "sessions", "engine": "valkey"}, {"name": "pages"}]
    first = await plant(ann, caches=caches, databases=[{"name": "main"}])
    second = await plant(ann, caches=[{"name": "pages"}])

    found = await ann.vines.components_of(Cache).all()
    assert [cache.name for cache in found] == ["pages", "pages", "sessions"]
    assert found[-1].engine is CacheEngine.VALKEY
    assert isinstance((await ann.vines.components(first.id)).databases[0].min_capacity, Decimal)
    of_one = await ann.vines.components_of(Cache, vine_id=second.id).all()
    assert [cache.vine_id for cache in of_one] == [second.id]
    assert await ann.vines.components_of(Cache, name="sessions").take(5) == [found[-1]]
    assert await ann.vines.components_of(Cache, status=ComponentStatus.ACTIVE).first() is None
    networks = [network.vine_id async for network in ann.vines.components_of(Network)]
    assert set(networks) == {first.id, second.id}
    with pytest.raises(errors.InvalidInput, match="Component is no kind of component"):
        ann.vines.components_of(Component)
    with pytest.raises(errors.InvalidInput, match="name"):
        await ann.vines.components_of(Network, name="x").all()


async def test_a_vine_has_all_its_components_however_many(ann: AsyncVintner) -> None:
    vine = await plant(ann)
    rows = [{"vine_id": str(vine.id), "name": f"topic-{number:04}"} for number in range(1005)]
    await ann.table("vine_topics").insert(rows).execute()
    assert len((await ann.vines.components(vine.id)).topics) == 1005


async def test_the_audit_log_is_filtered_and_ordered(ann: AsyncVintner) -> None:
    vine = await plant(ann)
    await ann.vines.plan(vine.id)
    oldest_first = await ann.audit.list(vine_id=vine.id).all()
    assert await ann.audit.list(vine_id=vine.id, order="-created_at").all() == oldest_first[::-1]
    kinds = [AuditAction.CREATED, AuditAction.DELETED]
    made = await ann.audit.list(action=kinds, user_id=ann.auth.user_id).all()
    assert {entry.action for entry in made} == {AuditAction.CREATED}
    assert await ann.audit.list(user_id=uuid4()).all() == []
