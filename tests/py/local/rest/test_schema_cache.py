"""The schema cache follows the database: by NOTIFY, and when a request names something new."""

from __future__ import annotations

import asyncio
import json

import pytest

from .conftest import Answer, Api, ContractDatabase

pytestmark = pytest.mark.asyncio(loop_scope="session")

WRITER = "insert into labels(id, name) values (80, 'w') returning id"


async def test_new_tables_columns_and_functions_need_no_notice(
    api: Api, seeded: ContractDatabase
) -> None:
    grant = "grant select, insert on shelves to anon"
    seeded.run("drop table if exists shelves", "create table shelves(id int primary key)", grant)
    assert (await api.ask("GET", "/shelves?select=id")).status == 200
    seeded.run("alter table shelves add column label_id int references labels")
    body = b'{"id": 1, "label_id": 1}'
    assert (await api.ask("POST", "/shelves", body=body)).status == 201
    found = await api.ask("GET", "/shelves?select=id,labels(name)")
    assert json.loads(found.body) == [{"id": 1, "labels": {"name": "red"}}]
    seeded.run("create or replace function shelf_count() returns int language sql as 'select 1'")
    assert (await api.ask("POST", "/rpc/shelf_count")).body == b"1"
    seeded.run("drop table shelves", "drop function shelf_count()", "notify pgrst")


async def test_notify_reloads(api: Api, seeded: ContractDatabase) -> None:
    define = "create or replace function write_once() returns int language sql"
    seeded.run(f"{define} stable as $$ select 1 $$")
    assert (await api.ask("POST", "/rpc/write_once")).body == b"1"
    seeded.run(f"{define} volatile as $$ {WRITER} $$")
    stale = await api.ask("POST", "/rpc/write_once")
    assert (stale.status, json.loads(stale.body)["code"]) == (405, "25006")
    seeded.run("notify pgrst, 'reload schema'")
    answer = await _until_ok(api, "/rpc/write_once")
    assert answer.body == b"80"
    seeded.run("drop function write_once()")


async def test_types_may_change(api: Api, seeded: ContractDatabase) -> None:
    seeded.run("drop table if exists shelves", "create table shelves(id int primary key)")
    seeded.run("grant select on shelves to anon", "notify pgrst")
    for kind in ("int", "text", "uuid"):
        seeded.run(f"alter table shelves alter id type {kind} using null", "notify pgrst")
        value = "00000000-0000-0000-0000-000000000001" if kind == "uuid" else "1"
        statuses = {0}
        async with asyncio.timeout(20):
            while statuses != {200}:
                asked = (api.ask("GET", f"/shelves?id=eq.{value}") for _ in range(30))
                statuses = {answer.status for answer in await asyncio.gather(*asked)}
    seeded.run("drop table shelves", "notify pgrst")


async def _until_ok(api: Api, path: str) -> Answer:
    for _ in range(250):
        answer = await api.ask("POST", path)
        if answer.status == 200:
            return answer
        await asyncio.sleep(0.02)
    raise TimeoutError(path)
