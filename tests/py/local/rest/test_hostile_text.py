"""Whatever stands where a name or a value may stand, it stays a name or a value."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from .conftest import Api, ContractDatabase

pytestmark = pytest.mark.asyncio(loop_scope="session")

HOSTILE = [
    "'; drop table labels; --",
    '"; drop table labels; --',
    "a'b\"c\\d",
    "$1 $2 %s %(x)s {x}",
    "x) or (1=1",
    "*),(*",
    "a,b)(c",
    "{a,b}",
    "null",
    "eq.1",
    "--",
    "/* */",
    "\u2028é\U0001f347",
    "E'\\x41'",
    "tab\tnew\nline",
]


def quoted(text: str) -> str:
    """A name or value as the query grammar quotes it, percent-encoded."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return quote(f'"{escaped}"', safe="")


@pytest.mark.parametrize("text", HOSTILE)
async def test_values_come_back_as_they_went_in(
    text: str, api: Api, seeded: ContractDatabase
) -> None:
    body = json.dumps([{"id": 70, "name": text}]).encode()
    assert (await api.ask("POST", "/labels", body=body)).status == 201
    for condition in (
        f"name=eq.{quote(text, safe='')}",
        f"name=in.({quoted(text)},{quoted('other')})",
        f"or=(name.eq.{quoted(text)},id.eq.0)",
        f"name=not.neq.{quote(text, safe='')}",
        f"name=eq(any).{quote(_array(text), safe='')}",
    ):
        found = await api.ask("GET", f"/labels?select=id,name&{condition}")
        assert (found.status, json.loads(found.body)) == (200, [{"id": 70, "name": text}])
    gone = await api.ask("DELETE", f"/labels?name=eq.{quote(text, safe='')}")
    assert gone.status == 204
    assert seeded.rows("select count(*) from labels") == [(3,)]


@pytest.mark.parametrize("text", HOSTILE)
async def test_names_stay_names(text: str, api: Api, seeded: ContractDatabase) -> None:
    name, encoded = quoted(text), quote(text, safe="")
    aliased = await api.ask("GET", f"/labels?select={name}:id&order=id&limit=1")
    assert (aliased.status, json.loads(aliased.body)) == (200, [{text: 1}])
    key = await api.ask("GET", f"/parents?select=x:meta->{name}&name=eq.alpha")
    assert (key.status, json.loads(key.body)) == (200, [{"x": None}])
    body = json.dumps({text: 1}).encode()
    attempts = [
        await api.ask("GET", f"/{quote(text.replace('/', '|'), safe='')}"),
        await api.ask("POST", f"/rpc/{quote(text.replace('/', '|'), safe='')}", body=b"{}"),
        await api.ask("GET", f"/labels?select={name}"),
        await api.ask("GET", f"/labels?select=id&{name}=eq.1"),
        await api.ask("GET", f"/labels?order={name}.desc"),
        await api.ask("GET", f"/labels?select=id::{encoded}"),
        await api.ask("GET", f"/labels?name=fts({encoded}).x"),
        await api.ask("GET", f"/parents?select=name,children!{name}(id)"),
        await api.ask("GET", f"/parents?select=name,{name}(id)"),
        await api.ask("POST", f"/labels?columns={name}", body=body),
        await api.ask("POST", "/labels", body=body),
        await api.ask("PATCH", "/labels?id=eq.1", body=body),
        await api.ask("POST", "/rpc/add_one", body=body),
        await api.ask(
            "POST",
            f"/labels?on_conflict={name}",
            body=b'{"id":1,"name":"x"}',
            headers={"Prefer": "resolution=merge-duplicates"},
        ),
    ]
    assert all(400 <= answer.status < 500 for answer in attempts), attempts
    assert all("code" in json.loads(answer.body) for answer in attempts)
    assert seeded.rows("select id, name from labels order by id") == [
        (1, "red"),
        (2, "blue"),
        (3, "green"),
    ]


async def test_hostile_headers(api: Api, seeded: ContractDatabase) -> None:
    for headers in (
        {"Accept-Profile": 'public", "cloud'},
        {"Accept": "application/json'; drop table labels"},
        {"Prefer": "count=exact'; drop table labels"},
        {"X-Anything": "'); drop table labels; --", "Cookie": "a='; drop table labels"},
    ):
        answer = await api.ask("GET", "/labels", headers=headers)
        assert answer.status in (200, 406)
    assert seeded.rows("select count(*) from labels") == [(3,)]


@pytest.mark.parametrize("body", [b"{", b"[" * 100_000, b'{"id": NaN}', b"\xff", b'{"id":1}x'])
async def test_bodies_that_are_no_json(body: bytes, api: Api, seeded: ContractDatabase) -> None:
    for path in ("/labels", "/rpc/add_one"):
        answer = await api.ask("POST", path, body=body)
        assert (answer.status, json.loads(answer.body)["code"]) == (400, "PGRST102")


@pytest.mark.parametrize(
    "query",
    [
        f"select={'labels(' * 1200}id{')' * 1200}",
        f"or={'(and' * 1500}(id.eq.1{')' * 1501}",
        f"limit={'9' * 5000}",
        f"select=meta->{'9' * 5000}",
        "select=id&name=eq.%ff%fe",
        "&&=&=x&x&==",
        "order=&and=&or=()",
    ],
)
async def test_queries_without_sense(query: str, api: Api, seeded: ContractDatabase) -> None:
    answer = await api.ask("GET", f"/parents?{query}")
    assert answer.status in (200, 400)
    json.loads(answer.body)


async def test_half_a_character(api: Api, seeded: ContractDatabase) -> None:
    for path in ("/labels", "/rpc/add_one"):
        answer = await api.ask("POST", path, body=b'{"\\ud800": 1}')
        assert answer.status in (400, 404)
    token = api.keys.sign({"role": "\ud800"})
    answer = await api.ask("GET", "/labels", authorization=f"Bearer {token}")
    assert (answer.status, json.loads(answer.body)["code"]) == (400, "22021")


def _array(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'{{"{escaped}"}}'


@pytest.mark.parametrize(
    "path", ["/labels?name=eq.%00", "/labels?select=%22%00%22:id", "/labels?id=eq.1&name=in.(a%00)"]
)
async def test_zero_bytes(path: str, api: Api, seeded: ContractDatabase) -> None:
    answer = await api.ask("GET", path)
    assert (answer.status, json.loads(answer.body)["code"]) == (400, "22021")
    assert (await api.ask("GET", "/labels?id=eq.1")).status == 200
