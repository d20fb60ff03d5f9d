"""Which changes reach whom, and how they look, beyond what the recordings show."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import psycopg
import pytest

from vintner_local.realtime.feed import wait_until_visible

from .conftest import Server, StartServer
from .phoenix import A, B, connect, user_token
from .replay import FRAMES


def rows_of(table: str, **more: Any) -> dict[str, Any]:
    return {"event": "*", "schema": "public", "table": table, **more}


async def test_an_event_is_the_recorded_one_byte_for_byte(server: Server) -> None:
    recorded = (FRAMES / "13_raw_text_numbers.txt").read_text(encoding="utf-8").strip()
    stamp = re.compile(r'"commit_timestamp":"[^"]+"')
    async with connect(server) as client:
        await client.join(
            "t", user_token(server), {"event": "INSERT", "schema": "public", "table": "job_events"}
        )
        server.sql(
            "insert into job_events (id, job_id, user_id, n, at, bin, i8, ratio, amount) values"
            f" (11516, '8d0f1602-30b8-4ee6-8f78-6eecdd4e2b3e', '{A}', 1,"
            " '2026-11-21T02:33:58.310218+00:00', '\\x00ff', 9007199254740993, 1e20, 12.5000)"
        )
        text = (await client.frame()).data
    assert stamp.sub("", text) == stamp.sub("", recorded)


async def test_a_policy_that_raises_hides_the_row_from_that_user_alone(server: Server) -> None:
    async with connect(server) as good, connect(server) as bad:
        await bad.join("t", user_token(server, "user-1"), rows_of("strict_policy"))
        await good.join("t", user_token(server), rows_of("strict_policy"))
        server.sql(f"insert into strict_policy values (1, '{A}')")
        assert (await good.event())["record"] == {"id": 1, "user_id": A}
        await bad.silence()


async def test_full_identity_with_row_security(server: Server) -> None:
    async with connect(server) as own, connect(server) as other:
        await own.join("t", user_token(server, A), rows_of("je_full"))
        await other.join("t", user_token(server, B), rows_of("je_full", filter="kind=eq.b"))
        server.sql(f"insert into je_full values (1, null, '{A}', 'a')")
        assert (await own.event())["record"]["kind"] == "a"
        server.sql("update je_full set kind = 'b'")
        assert (await own.event())["old_record"] == {
            "id": 1,
            "kind": "a",
            "job_id": None,
            "user_id": A,
        }
        server.sql("delete from je_full")
        assert (await own.event())["old_record"] == {"id": 1}
        deleted = await other.event()
        assert (deleted["type"], deleted["old_record"]) == ("DELETE", {"id": 1})


async def test_columns_that_may_not_be_read_are_left_out(server: Server) -> None:
    async with connect(server) as user, connect(server) as anonymous:
        await user.join("t", user_token(server), rows_of("partly_granted"))
        await anonymous.join("t", None, rows_of("partly_granted"))
        server.sql("insert into partly_granted values (1, 'k', 'secret')")
        data = await user.event()
        assert data["record"] == {"id": 1, "kind": "k"}
        assert [column["name"] for column in data["columns"]] == ["id", "kind"]
        assert (await anonymous.event())["errors"] == ["Error 401: Unauthorized"]


async def test_a_filter_on_a_hidden_column_is_refused(server: Server) -> None:
    async with connect(server) as client:
        item = rows_of("partly_granted", filter="hidden=eq.x")
        config = {"postgres_changes": [item], "presence": {"enabled": False}}
        payload = {"config": config, "access_token": user_token(server)}
        await client.send("realtime:t", "phx_join", payload)
        assert (await client.next())[1]["status"] == "ok"
        message = (await client.next())[1]["message"]
        assert message.endswith("ERROR P0001 (raise_exception) invalid column for filter hidden")


async def test_a_changed_key_is_told_with_the_old_one(server: Server) -> None:
    async with connect(server) as client:
        await client.join("t", user_token(server), rows_of("open_default"))
        server.sql("insert into open_default values (1)", "update open_default set id = 2")
        await client.event()
        data = await client.event()
        assert (data["old_record"], data["record"]["id"]) == ({"id": 1}, 2)


async def test_an_unchanged_large_value_comes_from_the_old_row_if_that_is_whole(
    server: Server,
) -> None:
    async with connect(server) as client:
        await client.join("t", user_token(server), rows_of("wide", filter="big=like.x%"))
        server.sql("insert into wide values (1, 1, repeat('x', 10000))", "update wide set n = 2")
        await client.event()
        data = await client.event()
        assert data["record"] == {"id": 1, "n": 2, "big": "x" * 10000}


ROW = "(1, 10, 'red, \"hot\"', 'abc', true, 'happy', '2026-01-02T03:00:00Z', '{a,b}')"
EMPTY = "(2, null, null, null, null, null, null, null)"


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("n=eq.10", [1]),
        ("n=eq.010", [1]),
        ("n=neq.9", [1]),
        ("n=neq.10", []),
        ("n=lt.9", []),
        ("n=lte.10", [1]),
        ("n=gt.9", [1]),
        ("n=gte.11", []),
        ("n=in.(9,10)", [1]),
        ("n=not.in.(9,10)", []),
        ("n=not.eq.9", [1]),
        ("n=isdistinct.10", [2]),
        ("n=is.null", [2]),
        ("n=not.is.null", [1]),
        ("ok=is.true", [1]),
        ("ok=is.unknown", [2]),
        ("ok=eq.t", [1]),
        ("kind=like.red%", [1]),
        ("kind=like.RED%", []),
        ("kind=ilike.RED%", [1]),
        ("kind=match.^r.d", [1]),
        ("kind=imatch.^R.D", [1]),
        ('kind=eq."red, \\"hot\\""', [1]),
        ('kind=in.("red, \\"hot\\"",blue)', [1]),
        ("short=eq.abc", [1]),
        ("short=eq.abcdefgh", []),
        ("m=eq.happy", [1]),
        ("m=gt.happy", []),
        ("at=eq.2026-01-02T04:00:00+01", [1]),
        ('tags=eq."{a,b}"', [1]),
        ("n=gt.9,kind=like.red%", [1]),
        ("n=gt.9,kind=like.blue%", []),
        ("", [1, 2]),
    ],
)
async def test_filters(server: Server, text: str, ids: list[int]) -> None:
    async with connect(server) as client:
        await client.join("t", user_token(server), rows_of("typed", filter=text))
        await client.join("end", user_token(server), rows_of("open_default"))
        server.sql(f"insert into typed values {ROW}", f"insert into typed values {EMPTY}")
        server.sql("insert into open_default values (0)")
        heard: list[int] = []
        while (data := await client.event())["table"] == "typed":
            heard.append(data["record"]["id"])
    assert heard == ids


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            f"n=in.({','.join(map(str, range(101)))})",
            "ERROR P0001 (raise_exception) too many values for `in` filter. Maximum 100",
        ),
        (
            "n=like.1%",
            "ERROR P0001 (raise_exception) operator like requires a text-compatible column type,"
            " got integer",
        ),
        (
            "n=is.true",
            "ERROR P0001 (raise_exception) is true filter requires a boolean column, got integer",
        ),
        (
            "m=eq.angry",
            "ERROR 22P02 (invalid_text_representation)"
            ' invalid input value for enum public.mood: "angry"',
        ),
        ("n=eq", 'Error parsing `filter` params: ["eq"]'),
        ("n=gt.1,", 'Error parsing `filter` params: [""]'),
    ],
)
async def test_filters_that_are_refused(server: Server, text: str, message: str) -> None:
    async with connect(server) as client:
        items = [rows_of("typed", filter=text)]
        config = {"postgres_changes": items, "presence": {"enabled": False}}
        payload = {"config": config, "access_token": user_token(server)}
        await client.send("realtime:t", "phx_join", payload)
        await client.next()
        event, system = await client.next()
        assert (event, system["status"]) == ("system", "error")
        assert system["message"].endswith(message)


async def test_one_bad_item_disables_the_good_ones(server: Server) -> None:
    async with connect(server) as client:
        items = [rows_of("open_default"), rows_of("not_in_pub")]
        config = {"postgres_changes": items, "presence": {"enabled": False}}
        payload = {"config": config, "access_token": user_token(server)}
        await client.send("realtime:t", "phx_join", payload)
        await client.next()
        assert (await client.next())[1]["status"] == "error"
        server.sql("insert into open_default values (1)")
        await client.silence()


async def test_polling_judges_late_as_the_real_server_does(start_server: StartServer) -> None:
    server = await start_server(delay="real")
    async with connect(server) as a, connect(server) as b:
        await a.join("t", user_token(server, A), rows_of("job_events"))
        await b.join("t", user_token(server, B), rows_of("job_events"))
        server.sql(
            f"insert into job_events (id, user_id) values (1, '{A}'); delete from job_events",
            f"insert into job_events (id, user_id) values (2, '{A}');"
            f" update job_events set user_id = '{B}'",
        )
        assert (await a.event())["type"] == "DELETE"
        await a.silence(0.7)
        assert [(await b.event())["type"] for _ in range(3)] == ["DELETE", "INSERT", "UPDATE"]


async def test_a_large_transaction_arrives_whole_and_in_order(server: Server) -> None:
    async with connect(server) as client:
        await client.join("t", user_token(server), rows_of("job_events"))
        server.sql(
            f"insert into job_events (id, user_id) select i, '{A}' from generate_series(1, 2000) i"
        )
        frames = [json.loads((await client.frame()).data) for _ in range(2000)]
    data = [frame["payload"]["data"] for frame in frames]
    assert [each["record"]["id"] for each in data] == [*range(1, 2001)]
    assert len({each["commit_timestamp"] for each in data}) == 1


async def test_a_change_is_not_judged_before_others_can_see_it(realtime_dsn: str) -> None:
    async with (
        await psycopg.AsyncConnection.connect(realtime_dsn) as writer,
        await psycopg.AsyncConnection.connect(realtime_dsn, autocommit=True) as judge,
    ):
        found = await writer.execute("select pg_current_xact_id()::text::int8 & 4294967295")
        row = await found.fetchone()
        assert row is not None
        waiting = asyncio.create_task(wait_until_visible(judge, row[0]))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        await writer.commit()
        await asyncio.wait_for(waiting, 1.0)
