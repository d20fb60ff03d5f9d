"""Broadcast, private channels and presence."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import aiohttp
import psycopg
import pytest

from .conftest import Server
from .phoenix import A, B, Phoenix, connect, user_token

HELLO = {"type": "broadcast", "event": "hello", "payload": {"n": 1}}


@pytest.fixture
def policies(realtime_dsn: str) -> Iterator[None]:
    """A may read and write the private topic `room`, B may only read it."""
    with psycopg.connect(realtime_dsn, autocommit=True) as connection:
        connection.execute("set role postgres")
        connection.execute(
            "create policy hear on realtime.messages for select to authenticated"
            " using (realtime.topic() = 'room')"
        )
        connection.execute(
            "create policy speak on realtime.messages for insert to authenticated"
            f" with check (realtime.topic() = 'room' and auth.uid() = '{A}')"
        )
        yield
        connection.execute("drop policy hear on realtime.messages")
        connection.execute("drop policy speak on realtime.messages")


def split_user_broadcast(frame: Any) -> tuple[str, str, Any, bool, bytes]:
    """Topic, event, meta, whether JSON, payload of a binary frame of kind 4."""
    data = bytes(frame)
    assert data[0] == 4
    topic, event, meta = data[1:4]
    texts = data[5:]
    return (
        texts[:topic].decode(),
        texts[topic : topic + event].decode(),
        json.loads(texts[topic + event : topic + event + meta] or "null"),
        data[4] == 1,
        texts[topic + event + meta :],
    )


async def test_private_channels_follow_the_policies(server: Server, policies: None) -> None:
    async with connect(server) as a, connect(server) as b, connect(server) as anonymous:
        await a.join("room", user_token(server, A), private=True)
        await b.join("room", user_token(server, B), private=True)
        refused = await anonymous.join("room", None, private=True, ok=False)
        assert refused == {
            "reason": "Unauthorized: You do not have permissions to read from this Channel topic:"
            " room"
        }
        elsewhere = await b.join("cellar", user_token(server, B), private=True, ok=False)
        assert elsewhere["reason"].startswith("Unauthorized:")
        await a.send("realtime:room", "broadcast", HELLO)
        assert await b.next() == ("broadcast", HELLO)
        await b.send("realtime:room", "broadcast", HELLO)
        await a.silence()


async def test_a_public_channel_of_the_same_name_is_another(server: Server, policies: None) -> None:
    async with connect(server) as a, connect(server) as public:
        await a.join("room", user_token(server, A), private=True)
        await public.join("room", None)
        await a.send("realtime:room", "broadcast", HELLO)
        server.sql("select realtime.send('{}', 'e', 'room')")
        await public.silence()
        server.sql("select realtime.send('{\"x\": 1}', 'e', 'room', false)")
        assert (await public.next())[1]["payload"]["x"] == 1


async def test_a_token_that_may_no_longer_read_ends_a_private_channel(
    server: Server, policies: None
) -> None:
    async with connect(server) as client:
        await client.join("room", user_token(server, A), private=True)
        token = user_token(server, A, role="anon")
        await client.send("realtime:room", "access_token", {"access_token": token})
        event, payload = await client.next()
        assert (event, payload["status"], payload["extension"]) == ("system", "error", "system")
        assert (await client.next())[0] == "phx_close"


async def test_the_database_reaches_both_protocol_versions(server: Server, policies: None) -> None:
    async with connect(server) as old, connect(server, "2.0.0") as new:
        await old.join("room", user_token(server), private=True)
        await new.join("room", user_token(server), private=True)
        server.sql("select realtime.send('{\"n\": 12.50}', 'e', 'room')")
        event, payload = await old.next()
        assert event == "broadcast"
        assert payload == {
            "type": "broadcast",
            "event": "e",
            "meta": {"id": payload["payload"]["id"]},
            "payload": {"n": 12.5, "id": payload["meta"]["id"]},
        }
        topic, name, meta, is_json, body = split_user_broadcast((await new.frame()).data)
        assert (topic, name, is_json) == ("realtime:room", "e", True)
        assert meta == payload["meta"]
        assert json.loads(body) == payload["payload"]


async def test_broadcast_changes_sends_the_rows(server: Server, policies: None) -> None:
    async with connect(server) as client:
        await client.join("room", user_token(server), private=True)
        server.sql(
            "do $$ declare r record; begin"
            " select 1 as id, 'x' as kind into r;"
            " perform realtime.broadcast_changes("
            "   'room', 'INSERT', 'INSERT', 't', 'public', r, null);"
            " end $$"
        )
        payload = (await client.next())[1]["payload"]
        assert payload["record"] == {"id": 1, "kind": "x"}
        assert (payload["operation"], payload["schema"], payload["table"]) == (
            "INSERT",
            "public",
            "t",
        )
        assert payload["old_record"] is None


async def test_sending_from_sql_is_up_to_the_policies(server: Server, policies: None) -> None:
    async with connect(server) as client:
        await client.join("room", user_token(server), private=True)
        for sub in (B, A):
            server.sql(
                f'set request.jwt.claims = \'{{"sub": "{sub}"}}\'; set role authenticated;'
                f" select realtime.send('{{\"by\": \"{sub}\"}}', 'e', 'room')"
            )
        assert (await client.next())[1]["payload"]["by"] == A


async def test_a_users_binary_broadcast(server: Server) -> None:
    async with (
        connect(server, "2.0.0") as sender,
        connect(server, "2.0.0") as new,
        connect(server) as old,
    ):
        for client in (sender, new, old):
            await client.join("pub", None)
        topic = b"realtime:pub"
        head = bytes([3, 1, 1, len(topic), 5, 0])
        await sender.socket.send_bytes(head + b"\x01" + b"12" + topic + b"hello" + b'{"n":1}')
        await sender.socket.send_bytes(head + b"\x00" + b"13" + topic + b"bytes" + b"\x00\xff")
        assert await old.next() == ("broadcast", HELLO)
        await old.silence()
        first, second = [split_user_broadcast((await new.frame()).data) for _ in range(2)]
        assert first == ("realtime:pub", "hello", None, True, b'{"n":1}')
        assert second == ("realtime:pub", "bytes", None, False, b"\x00\xff")
        await sender.silence()


async def test_stored_broadcasts_are_replayed(server: Server, policies: None) -> None:
    for number in range(3):
        server.sql(f"select realtime.send('{{\"n\": {number}}}', 'e', 'room')")
    server.sql("select realtime.send('{}', 'e', 'another')")
    since = int(time.time() * 1000) - 60_000
    async with connect(server) as client:
        replay = {"replay": {"since": since, "limit": 2}}
        await client.join("room", user_token(server), private=True, broadcast=replay)
        sent = [(await client.next())[1] for _ in range(2)]
        assert [message["payload"]["n"] for message in sent] == [1, 2]
        assert all(message["meta"]["replayed"] for message in sent)
        await client.silence()


async def test_sending_by_http(server: Server, policies: None) -> None:
    url = f"{server.url}/api/broadcast"
    body = {
        "messages": [
            {"topic": "pub", "event": "hello", "payload": {"n": 1}},
            {"topic": "room", "event": "hello", "payload": {"n": 2}, "private": True},
        ]
    }
    async with connect(server) as public, connect(server) as private:
        await public.join("pub", None)
        await private.join("room", user_token(server), private=True)
        async with aiohttp.ClientSession() as session:
            for headers, body_sent, status in (
                ({}, body, 401),
                ({"apikey": "wrong"}, body, 401),
                ({"apikey": server.keys.publishable}, {"messages": 1}, 422),
                ({"apikey": server.keys.publishable}, body, 202),
            ):
                async with session.post(url, json=body_sent, headers=headers) as answer:
                    assert answer.status == status
            await private.silence()
            bearer = {"Authorization": f"Bearer {user_token(server, A)}"}
            headers = {"apikey": server.keys.publishable, **bearer}
            async with session.post(url, json=body, headers=headers) as answer:
                assert answer.status == 202
        assert await public.next() == ("broadcast", HELLO)
        assert (await private.next())[1]["payload"] == {"n": 2}


async def test_presence_is_updated_and_left(server: Server) -> None:
    async with connect(server) as watcher:
        await join_present(watcher, "w")
        assert await watcher.next() == ("presence_state", {})
        async with connect(server) as guest:
            await join_present(guest, "g")
            await guest.next()
            await track(guest, {"mood": "happy"})
            first = (await watcher.next())[1]["joins"]["g"]["metas"][0]
            assert first["mood"] == "happy"
            await track(guest, {"mood": "sad"})
            diff = (await watcher.next())[1]
            second = diff["joins"]["g"]["metas"][0]
            assert (second["mood"], second["phx_ref_prev"]) == ("sad", first["phx_ref"])
            assert diff["leaves"]["g"]["metas"] == [first]
            async with connect(server) as late:
                await join_present(late, "l")
                assert await late.next() == ("presence_state", {"g": {"metas": [second]}})
        assert (await watcher.next())[1] == {"joins": {}, "leaves": {"g": {"metas": [second]}}}


async def join_present(client: Phoenix, key: str) -> None:
    config = {"presence": {"key": key, "enabled": True}}
    await client.send("realtime:party", "phx_join", {"config": config})
    assert (await client.next())[1]["status"] == "ok"


async def track(client: Phoenix, state: dict[str, str]) -> None:
    payload = {"type": "presence", "event": "track", "payload": state}
    await client.send("realtime:party", "presence", payload)
