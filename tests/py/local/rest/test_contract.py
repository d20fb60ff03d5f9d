"""Every recorded answer of PostgREST, held against this one: equal, or refused by name."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from vintner_local.keys import Keys

from .conftest import CONTRACT, Answer, Api, ContractDatabase

CASES: list[dict[str, Any]] = json.loads((CONTRACT / "cases.json").read_text())
REFUSED = {
    *("accept explain plan", "count estimated", "count planned", "insert csv", "insert form"),
    *("OPTIONS table", "prefer timezone", "PUT mismatched pk", "PUT upsert", "root"),
    *("Range header 0-1", "Range 1-2 + count exact"),
    *("embed ambiguous", "rpc overload ambiguous", "rpc unnamed json"),
}
USERS = {
    "A": ("11111111-1111-1111-1111-111111111111", "a@x.io"),
    "B": ("22222222-2222-2222-2222-222222222222", "b@x.io"),
}
HEADERS = (
    "content-range",
    "content-type",
    "content-profile",
    "preference-applied",
    "www-authenticate",
)
TABLES = (
    *("parents", "parent_detail", "children", "labels", "parent_labels", "transfers", "notes"),
    *("accounts", '"Mixed Case"', "cloud.inst", "cloud.logs"),
)

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture(scope="module")
def tally(
    request: pytest.FixtureRequest, contract_database: ContractDatabase
) -> Iterator[Counter[str]]:
    """How the cases went, told at the end of the run."""
    contract_database.run("select reseed()")
    counted: Counter[str] = Counter()
    yield counted
    capture = request.config.pluginmanager.get_plugin("capturemanager")
    assert capture is not None
    with capture.global_and_fixture_disabled():
        wrong = counted["asked"] - counted["equal"] - counted["refused"]
        print(
            f"\nREST contract: {counted['equal']} equal, {counted['refused']} refused, "
            f"{wrong} wrong of {counted['asked']}"
        )


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
async def test_case(
    case: dict[str, Any], api: Api, contract_database: ContractDatabase, tally: Counter[str]
) -> None:
    tally["asked"] += 1
    answer = await api.ask(
        case["method"],
        case["path"],
        authorization=_authorization(case, api),
        headers=case.get("headers"),
        body=_body(case),
    )
    if case["name"] in REFUSED:
        assert answer.status == 501, answer
        assert "supabase start" in json.loads(answer.body)["hint"]
        if "rows_after" in case:
            contract_database.run("select reseed()")
        tally["refused"] += 1
        return
    wanted = case["answer"]
    headers = {name: value for name, value in wanted["headers"].items() if name in HEADERS}
    assert _seen(answer) == (wanted["status"], headers, _parsed(wanted["body"]))
    if "rows_after" in case:
        rows = _dump(contract_database)
        contract_database.run("select reseed()")
        assert _rows(rows) == _rows(case["rows_after"])
    tally["equal"] += 1


def _authorization(case: dict[str, Any], api: Api) -> str | None:
    special = case.get("authorization")
    if special is None:
        return _usual(case["as"], api)
    if "raw" in special:
        return str(special["raw"])
    if "raw_scheme" in special:
        bearer = _usual(special["user"], api) or ""
        return bearer.replace("Bearer", special["raw_scheme"])
    claims = {
        name: int(time.time()) + value["now_plus"] if _is_time(value) else value
        for name, value in special["jwt"]["claims"].items()
    }
    signer = Keys.generate() if special["jwt"]["signature"] == "bad" else api.keys
    return f"Bearer {signer.sign(claims)}"


def _is_time(value: Any) -> bool:
    return isinstance(value, dict) and "now_plus" in value


def _usual(who: str, api: Api) -> str | None:
    if who == "anon":
        return None
    if who == "svc":
        return f"Bearer {api.keys.service_role}"
    sub, email = USERS[who]
    claims = {"role": "authenticated", "sub": sub, "email": email, "exp": int(time.time()) + 60}
    return f"Bearer {api.keys.sign(claims)}"


def _body(case: dict[str, Any]) -> bytes | None:
    if "raw_body" in case:
        return str(case["raw_body"]).encode()
    return json.dumps(case["body"]).encode() if "body" in case else None


def _parsed(body: str | bytes) -> Any:
    """The JSON value, numbers as they are written; other text as it is."""
    text = body.decode() if isinstance(body, bytes) else body
    try:
        return json.loads(text, parse_int=str, parse_float=str, parse_constant=str)
    except ValueError:
        return text


def _seen(answer: Answer) -> tuple[int, dict[str, str], Any]:
    headers = {name: value for name, value in answer.headers.items() if name in HEADERS}
    return answer.status, headers, _parsed(answer.body)


def _dump(database: ContractDatabase) -> str:
    selects = (f"(select json_agg(t)::text from {table} t)" for table in TABLES)
    return "\n".join(row or "" for row in database.rows(f"select {', '.join(selects)}")[0])


def _rows(dump: str) -> list[list[Any]]:
    """Each table's rows, sorted, without what differs from run to run."""
    decoder = json.JSONDecoder(parse_int=str, parse_float=str)
    tables, at = [], 0
    while at < len(dump):
        rows, at = ([], at) if dump[at] == "\n" else decoder.raw_decode(dump, at)
        tables.append(sorted((_lasting(row) for row in rows), key=json.dumps))
        at += 1
    return tables


def _lasting(row: dict[str, Any]) -> dict[str, Any]:
    lasting = dict(row)
    if not str(row.get("created_at", "2026-01")).startswith("2026-01"):
        del lasting["created_at"]
    return lasting
