"""Connections: handshakes, odd frames, limits."""

from __future__ import annotations

import asyncio
import json
import time

import aiohttp
import pytest
from aiohttp import WSMsgType

from support.waiting import until
from vintner_local.realtime import Limits

from .conftest import Server, StartServer
from .phoenix import A, Phoenix, connect, user_token

UNMATCHED = ("phx_reply", {"status": "error", "response": {"reason": "unmatched topic"}})
OK = ("phx_reply", {"status": "ok", "response": {}})


@pytest.mark.parametrize("kind", ["publishable", "secret", "anon", "service_role"])
async def test_every_key_of_the_stack_opens_a_connection(server: Server, kind: str) -> None:
    async with connect(server, apikey=getattr(server.keys, kind)) as client:
        await client.send("phoenix", "heartbeat", {})
        assert await client.next() == OK


async def test_the_secret_key_sees_every_row(server: Server) -> None:
    async with connect(server, apikey=server.keys.secret) as client:
        await client.join("t", None, {"event": "*", "schema": "public", "table": "job_events"})
        server.sql(f"insert into job_events (id, user_id) values (1, '{A}')")
        assert (await client.event())["record"]["id"] == 1


async def test_an_unknown_opaque_key_is_refused(server: Server) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        async with connect(server, apikey="sb_publishable_unknown"):
            pass
    assert caught.value.status == 401


async def test_refusals_are_as_slow_as_the_real_ones_if_asked(start_server: StartServer) -> None:
    server = await start_server(delay="real")
    started = time.monotonic()
    with pytest.raises(aiohttp.WSServerHandshakeError):
        async with connect(server, apikey="nonsense"):
            pass
    assert time.monotonic() - started > 1.9


async def test_frames_that_say_nothing_are_dropped(server: Server) -> None:
    async with connect(server) as client:
        for text in ("not json", "[]", "{}", '["1","2","t","e",{}]', '{"topic":"t","event":"e"}'):
            await client.socket.send_str(text)
        await client.socket.send_bytes(b"\x03\x01")
        await client.send("phoenix", "heartbeat", {})
        assert await client.next() == OK


@pytest.mark.parametrize(
    "unsayable", ['"\\ud800"', "1e999", "-1e999", "NaN", "[" * 5000 + "]" * 5000]
)
async def test_what_is_no_json_to_others_reaches_nobody(server: Server, unsayable: str) -> None:
    async with (
        connect(server) as sender,
        connect(server) as hearer,
        aiohttp.ClientSession() as http,
    ):
        await sender.join("t")
        await hearer.join("t")
        for value in (unsayable, "1"):
            payload = f'{{"type":"broadcast","event":"e","payload":{{"value":{value}}}}}'
            frame = f'"topic":"realtime:t","event":"broadcast","ref":"2","payload":{payload}'
            await sender.socket.send_str(f"{{{frame}}}")
            message = f'{{"topic":"t","event":"e","payload":{{"value":{value}}}}}'
            posted = await http.post(
                f"{server.url}/api/broadcast",
                data=f'{{"messages":[{message}]}}',
                headers={"apikey": server.keys.publishable, "content-type": "application/json"},
            )
            assert posted.status == (202 if value == "1" else 422)
        for _ in range(2):
            assert (await hearer.next())[1]["payload"] == {"value": 1}


async def test_topics_that_are_not_joined(server: Server) -> None:
    async with connect(server) as client:
        await client.send("realtime:t", "broadcast", {})
        assert await client.next() == UNMATCHED
        await client.send("realtime:t", "phx_leave", {})
        assert await client.next() == OK
        await client.send("elsewhere", "phx_join", {})
        assert await client.next() == UNMATCHED
        await client.send("realtime:", "phx_join", {"config": {}})
        reason = (await client.next())[1]["response"]["reason"]
        assert reason == "TopicNameRequired: You must provide a topic name"


async def test_the_101st_channel_is_refused(server: Server) -> None:
    async with connect(server) as client:
        for number in range(100):
            await client.join(f"t{number}", None)
        refused = await client.join("one too many", None, ok=False)
        assert refused == {"reason": "ChannelRateLimitReached: Too many channels"}


async def flood(server: Server, slow: Phoenix) -> None:
    """Sends 20 MB to a client that reads nothing, and to one that does."""
    payload = {"type": "broadcast", "event": "e", "payload": {"text": "x" * 1_000_000}}
    async with connect(server) as fast, connect(server) as sender:
        for client in (slow, fast, sender):
            await client.join("t", None)
        for _ in range(20):
            await sender.send("realtime:t", "broadcast", payload)
            assert (await fast.next())[0] == "broadcast"


async def read_to_the_end(client: Phoenix) -> tuple[int, aiohttp.WSMessage]:
    """How many frames come before the connection ends, and what ends it."""
    received = 0
    while (message := await client.frame()).type is WSMsgType.TEXT:
        received += 1
    return received, message


async def test_a_client_that_reads_too_slowly_is_disconnected(start_server: StartServer) -> None:
    server = await start_server(limits=Limits(queued_bytes=2_000_000))
    async with connect(server, receive_buffer=65536) as slow:
        await flood(server, slow)
        received, message = await read_to_the_end(slow)
    assert received < 20
    assert (message.type, message.data) == (WSMsgType.CLOSE, 1013)
    assert message.extra == "the client reads too slowly"


async def test_a_client_that_reads_nothing_at_all_is_cut_off(start_server: StartServer) -> None:
    server = await start_server(limits=Limits(queued_bytes=2_000_000))
    async with connect(server, receive_buffer=65536) as slow:
        await flood(server, slow)
        web_server = server.runner.server
        assert web_server is not None
        await until(lambda: not web_server.connections)


async def test_a_frame_above_the_limit_ends_the_connection(start_server: StartServer) -> None:
    server = await start_server(limits=Limits(frame_bytes=1000))
    async with connect(server) as client:
        await client.socket.send_str(json.dumps({"x": "y" * 2000}))
        message = await client.frame()
        assert (message.type, message.data) == (WSMsgType.CLOSE, 1009)


async def test_an_expired_apikey_refuses_joins_without_a_token(server: Server) -> None:
    expires = int(time.time()) + 1
    async with connect(server, apikey=user_token(server, exp=expires)) as client:
        await asyncio.sleep(expires - time.time() + 0.05)
        refused = await client.join("t", None, ok=False)
        assert refused["reason"].startswith("InvalidJWTToken: Token has expired")
