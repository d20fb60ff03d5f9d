"""The transaction a request runs in: role, settings, limits, and what undoes it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from support.waiting import until
from vintner_local.keys import Keys
from vintner_local.rest.database import Database
from vintner_local.rest.statement import Statement

from .conftest import Api, ContractDatabase, api_settings, serve

pytestmark = pytest.mark.asyncio(loop_scope="session")

FUNCTIONS = """
create or replace function setting(name text) returns text language sql stable
  as 'select current_setting(name, true)';
create or replace function slow() returns void language sql
  set statement_timeout = '100ms' as 'select pg_sleep(5)';
create or replace function tea() returns text language plpgsql as $$ begin
  perform set_config('response.headers', '[{"X-Tea":"yes"},{"Content-Type":"text/tea"}]', true);
  return 'tea';
end $$;
create or replace function bad_status() returns void language sql
  as $$ select set_config('response.status', 'teapot', true) $$;
create table if not exists pairs(id int primary key,
  other int references pairs deferrable initially deferred);
grant select, insert, update, delete on pairs to anon;
notify pgrst;
"""


@pytest.fixture(scope="module")
def equipped(contract_database: ContractDatabase) -> ContractDatabase:
    contract_database.run(FUNCTIONS)
    return contract_database


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def strict_api(equipped: ContractDatabase) -> AsyncIterator[Api]:
    settings = api_settings(equipped, Keys.generate(), safe_update=True, schemas=("public",))
    async for running in serve(settings):
        yield running


async def test_settings_of_a_request(strict_api: Api) -> None:
    async def setting(name: str) -> str:
        headers = {"Cookie": "a=1; b=two", "X-Own": "mine"}
        answer = await strict_api.ask("GET", f"/rpc/setting?name={name}", headers=headers)
        return str(json.loads(answer.body))

    assert await setting("search_path") == '"public", "public", "extensions"'
    assert await setting("role") == "anon"
    assert await setting("statement_timeout") == "3s"
    assert await setting("transaction_read_only") == "on"
    assert await setting("request.method") == "GET"
    assert await setting("request.path") == "/rpc/setting"
    assert json.loads(await setting("request.jwt.claims")) == {"role": "anon"}
    assert json.loads(await setting("request.cookies")) == {"a": "1", "b": "two"}
    headers = json.loads(await setting("request.headers"))
    assert headers["x-own"] == "mine"
    assert "cookie" not in headers


async def test_settings_end_with_the_request(strict_api: Api, equipped: ContractDatabase) -> None:
    body = b'{"name": "request.path"}'
    for _ in range(40):
        assert (await strict_api.ask("POST", "/rpc/tea")).headers["x-tea"] == "yes"
        assert "x-tea" not in (await strict_api.ask("POST", "/rpc/setting", body=body)).headers
    query = "select usename from pg_stat_activity where application_name = 'postgrest'"
    assert not {"anon"} & {user for (user,) in equipped.rows(query)}


async def test_response_settings(strict_api: Api) -> None:
    tea = await strict_api.ask("POST", "/rpc/tea")
    assert (tea.status, tea.headers["content-type"], tea.body) == (200, "text/tea", b'"tea"')
    bad = await strict_api.ask("POST", "/rpc/bad_status")
    assert (bad.status, json.loads(bad.body)["code"]) == (500, "PGRST112")


async def test_a_functions_own_time_limit(strict_api: Api) -> None:
    answer = await strict_api.ask("POST", "/rpc/slow")
    assert (answer.status, json.loads(answer.body)["code"]) == (500, "57014")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("DELETE", "/labels", None), ("PATCH", "/labels?select=id", b'{"name": "x"}')],
)
async def test_whole_tables_are_safe(
    method: str, path: str, body: bytes | None, strict_api: Api, seeded: ContractDatabase
) -> None:
    answer = await strict_api.ask(method, path, body=body)
    parsed = json.loads(answer.body)
    assert (answer.status, parsed["code"]) == (400, "21000")
    assert parsed["message"].endswith("requires a WHERE clause")
    assert seeded.rows("select count(*) from labels where name <> 'x'") == [(3,)]


async def test_deferred_constraints_fail_the_request(
    strict_api: Api, equipped: ContractDatabase
) -> None:
    answer = await strict_api.ask("POST", "/pairs", body=b'{"id": 1, "other": 2}')
    assert (answer.status, json.loads(answer.body)["code"]) == (409, "23503")
    together = b'[{"id": 1, "other": 2}, {"id": 2, "other": 1}]'
    assert (await strict_api.ask("POST", "/pairs", body=together)).status == 201
    assert equipped.rows("select count(*) from pairs") == [(2,)]


async def test_refused_answers_undo_the_write(strict_api: Api, seeded: ContractDatabase) -> None:
    single = {"Accept": "application/vnd.pgrst.object+json"}
    path = "/children?id=gt.0"
    for headers in (single, {**single, "Prefer": "return=representation"}):
        assert (await strict_api.ask("DELETE", path, headers=headers)).status == 406
    limit = {"Prefer": "handling=strict,max-affected=2"}
    assert (await strict_api.ask("DELETE", path, headers=limit)).status == 400
    bad = await strict_api.ask("POST", "/rpc/bad_status")
    assert bad.status == 500
    query = "select (select count(*) from children), (select count(*) from labels)"
    assert seeded.rows(query) == [(3, 3)]


async def test_requests_at_once_keep_apart(strict_api: Api) -> None:
    async def subject(number: int) -> str:
        sub = f"00000000-0000-0000-0000-{number:012d}"
        token = strict_api.keys.sign({"role": "authenticated", "sub": sub})
        answer = await strict_api.ask("POST", "/rpc/whoami", authorization=f"Bearer {token}")
        return str(json.loads(answer.body)["uid"])

    found = await asyncio.gather(*(subject(n) for n in range(60)))
    assert found == [f"00000000-0000-0000-0000-{n:012d}" for n in range(60)]


async def test_failures_leave_connections_sound(strict_api: Api, seeded: ContractDatabase) -> None:
    """A statement is prepared once it was seen a few times, be it in a failed transaction."""
    unknown = f"Bearer {strict_api.keys.sign({'role': 'nosuch'})}"
    forbidden = f"Bearer {strict_api.keys.sign({'role': 'authenticated'})}"
    path = "/labels?select=name&id=eq.1&id=neq.7"
    for authorization, status in ((unknown, 401), (None, 200), (unknown, 401), (None, 200)):
        for _ in range(12):
            answer = await strict_api.ask("GET", path, authorization=authorization)
            assert answer.status == status, answer
    for authorization, status in ((forbidden, 403), (None, 401)) * 2:
        for _ in range(12):
            answer = await strict_api.ask("GET", "/hidden?id=eq.1", authorization=authorization)
            assert answer.status == status, answer
    for name, status in (("red", 409), ("nine", 201)):
        body = json.dumps({"id": 9, "name": name}).encode()
        for _ in range(12):
            answer = await strict_api.ask("POST", "/labels?columns=id,name", body=body)
            assert answer.status == status, answer
            assert (await strict_api.ask("DELETE", "/labels?id=eq.9")).status == 204


async def test_a_request_given_up_leaves_nothing_behind(equipped: ContractDatabase) -> None:
    database = Database(equipped.rest_dsn, ("public",))
    settings = Statement("select set_config('role', 'service_role', true)")
    sleeping = Statement("select pg_sleep(90)::text, 'given up'")
    active = "select count(*) from pg_stat_activity where state <> 'idle' and query like %s"
    async with database.running():
        await database.schema()
        for _ in range(30):
            task = asyncio.create_task(
                database.run(settings, sleeping, read_only=False, check=None)
            )
            await asyncio.sleep(0.02)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        role = Statement("select current_user")
        found = await asyncio.gather(
            *(database.run(settings, role, read_only=True, check=None) for _ in range(40))
        )
    assert found == [(b"service_role",)] * 40
    await until(lambda: equipped.rows(active, "select pg_sleep(90)%") == [(0,)])


async def test_more_requests_than_connections(strict_api: Api) -> None:
    body = b'{"name": "role"}'
    answers = await asyncio.gather(
        *(strict_api.ask("POST", "/rpc/setting", body=body) for _ in range(300))
    )
    assert {(answer.status, answer.body) for answer in answers} == {(200, b'"anon"')}


async def test_more_statements_than_are_kept_prepared(strict_api: Api) -> None:
    for number in range(150):
        answer = await strict_api.ask("GET", f"/labels?select=n{number}:id&id=eq.1")
        assert json.loads(answer.body) == [{f"n{number}": 1}]
    assert (await strict_api.ask("GET", "/labels?select=n0:id&id=eq.1")).status == 200


async def test_bodies_larger_than_the_sockets_buffers(strict_api: Api) -> None:
    text = "x" * 5_000_000
    answer = await strict_api.ask("POST", "/rpc/txt", body=json.dumps({"s": text}).encode())
    assert json.loads(answer.body) == text
