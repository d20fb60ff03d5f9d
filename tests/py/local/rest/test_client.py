"""What postgrest-py's builders say in ordinary use, from its side of the wire."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from postgrest import APIError, AsyncPostgrestClient, CountMethod, ReturnMethod

from .conftest import MOUNTED_AT, Api, ContractDatabase

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def client(api: Api, seeded: ContractDatabase) -> AsyncIterator[AsyncPostgrestClient]:
    headers = {"Authorization": f"Bearer {api.keys.service_role}"}
    url = str(api.server.make_url(MOUNTED_AT))
    async with AsyncPostgrestClient(url, headers=headers) as client:
        yield client


async def test_reading(client: AsyncPostgrestClient) -> None:
    parents = client.from_("parents")
    found = (
        await parents.select("name", count=CountMethod.exact).order("name").range(1, 2).execute()
    )
    assert (found.data, found.count) == ([{"name": "beta"}, {"name": 'de,l"ta (x)'}], 4)
    one = await parents.select("name, children(qty)").eq("name", "beta").single().execute()
    assert one.data == {"name": "beta", "children": [{"qty": 3}]}
    assert await parents.select("name").eq("name", "none").maybe_single().execute() is None
    counted = await parents.select("*", count=CountMethod.exact, head=True).execute()
    assert (counted.data, counted.count) == ([], 4)
    either = await parents.select("name").or_("name.eq.alpha,status.eq.done").execute()
    assert len(either.data) == 2
    listed = await parents.select("name").in_("name", ["alpha", 'de,l"ta (x)']).execute()
    assert len(listed.data) == 2
    tagged = await parents.select("name").contains("tags", ["y z"]).execute()
    assert tagged.data == [{"name": "alpha"}]
    keyed = await parents.select("name").contains("meta", {"k": "v"}).execute()
    assert keyed.data == [{"name": "alpha"}]
    path = await parents.select("name").eq("meta->>k", "w").is_("flag", False).execute()
    assert path.data == [{"name": "beta"}]
    assert len((await parents.select("name").not_.is_("flag", "null").execute()).data) == 2
    inner = parents.select("name, children!inner(id)").gt("children.qty", 1)
    assert len((await inner.order("id", foreign_table="children").execute()).data) == 2
    words = await parents.select("name").text_search("name", "alpha").execute()
    assert words.data == [{"name": "alpha"}]


async def test_writing(client: AsyncPostgrestClient, seeded: ContractDatabase) -> None:
    labels = client.from_("labels")
    rows = [{"id": 90, "name": "n90"}, {"id": 91, "name": "n91"}]
    made = await labels.insert(rows, count=CountMethod.exact).execute()
    assert (made.data, made.count) == (rows, 2)
    quiet = {"id": 92, "name": "n92"}
    assert (await labels.insert(quiet, returning=ReturnMethod.minimal).execute()).data == []
    merged = [{"id": 90, "name": "m90"}, {"id": 93, "name": "m93"}]
    assert (await labels.upsert(merged, on_conflict="id").execute()).data == merged
    ignored = await labels.upsert({"id": 90, "name": "x"}, ignore_duplicates=True).execute()
    assert ignored.data == []
    changed = await labels.update({"name": "u90"}).eq("id", 90).execute()
    assert changed.data == [{"id": 90, "name": "u90"}]
    gone = await labels.delete(count=CountMethod.exact).gte("id", 90).execute()
    assert gone.count == 4
    sparse = [{"parent_id": "00000000-0000-0000-0000-000000000003", "qty": n} for n in (5, 6)]
    children = await client.from_("children").insert(sparse, default_to_null=False).execute()
    times = [child["at"] for child in children.data if isinstance(child, dict)]
    assert times == ["2026-01-01T00:00:00+00:00"] * 2


async def test_calling(client: AsyncPostgrestClient) -> None:
    # the client types every argument as text, and sends what it is given
    one: dict[str, Any] = {"a": 1}
    four: dict[str, Any] = {"n": 4}
    three: dict[str, Any] = {"x": 3}
    assert (await client.rpc("add_one", one).execute()).data == 2
    parents = client.rpc("list_parents", {}).select("name").eq("status", "done").limit(5)
    assert (await parents.execute()).data == [{"name": "gamma"}]
    assert (await client.rpc("stable_fn", four, get=True).execute()).data == 40
    ping = client.schema("cloud").rpc("ping", three)
    assert (await ping.execute()).data == 3
    listed = await client.schema("cloud").from_("inst").select("name, logs(msg)").execute()
    assert len(listed.data) == 2


async def test_errors(client: AsyncPostgrestClient) -> None:
    with pytest.raises(APIError) as raised:
        await client.rpc("raise_pt409", {}).execute()
    error = raised.value
    assert (error.code, error.message, error.details, error.hint) == (
        "PT409",
        "conflict!",
        "d1",
        "h1",
    )
    with pytest.raises(APIError) as raised:
        await client.from_("parents").select("name").single().execute()
    assert raised.value.code == "PGRST116"
