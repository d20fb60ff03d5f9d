"""Replays a recorded conversation: sends what was sent, compares what comes.

Changes of rows are made again from the events that the recording holds, with the recorded ids and
times as values; a change that nobody heard of is told by the caller. Times, signatures and random
references are compared by form.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import psycopg
from psycopg import sql

from .conftest import Server

FRAMES = Path(__file__).parents[3] / "contract" / "realtime" / "frames"
JWT = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")
PATIENCE = 8.0
SETTLE = 0.15
Stream = tuple[str, str]


@dataclass(frozen=True)
class Quirks:
    """How one recording is replayed.

    Attributes:
        sql: statements to run when the line with this index (from 0) is reached.
        forged: the tokens of joins, or the API key, are signed with another secret.
        clock_shift: seconds that are added to all times in tokens.
        server_closes: whether the recorded close is the server's.
        stop_at: the line at which the server is shut down.
        skip: lines left out, because they belong to another conversation recorded at that time.
        split_events: whether events of one topic may come in another order than recorded, each
            kind of event in its own order.
    """

    sql: Mapping[int, Sequence[str]] = field(default_factory=dict)
    forged: bool = False
    clock_shift: int = 0
    server_closes: bool = False
    stop_at: int | None = None
    skip: frozenset[int] = frozenset()
    split_events: bool = False


class Replay:
    """One replay of one file against one server."""

    def __init__(self, server: Server, name: str, quirks: Quirks) -> None:
        self._server = server
        self._quirks = quirks
        self._lines = [json.loads(line) for line in (FRAMES / name).open(encoding="utf-8")]
        self._clients: dict[str, _Client] = {}
        self._applied: set[str] = set()
        self._connection: psycopg.Connection | None = None
        self._base = self._recorded_now()

    def _recorded_now(self) -> int:
        for line in self._lines:
            for token in JWT.findall(json.dumps(line)):
                claims = _claims(token)
                if "iat" in claims:
                    return int(claims["iat"])
        return 0

    async def run(self) -> None:
        """Plays all lines; fails at the first that differs."""
        with psycopg.connect(self._server.admin_dsn, autocommit=True) as self._connection:
            await self._run()

    async def _run(self) -> None:
        async with aiohttp.ClientSession() as session:
            for index, line in enumerate(self._lines):
                if index in self._quirks.skip:
                    continue
                if index == self._quirks.stop_at:
                    await self._server.runner.cleanup()
                if index in self._quirks.sql:
                    await asyncio.to_thread(self._server.sql, *self._quirks.sql[index])
                await self._play(session, line)
            await asyncio.sleep(SETTLE)
            for name, client in self._clients.items():
                assert not client.waiting(), f"{name} got more than was recorded"
                await client.close()

    async def _play(self, session: aiohttp.ClientSession, line: dict[str, Any]) -> None:
        name, kind = line["client"], line["dir"]
        if kind == "connect":
            url = self._server.url + "/websocket?" + line["frame"]["url"].partition("?")[2]
            self._clients[name] = await _Client.open(
                session, self._resign(url), self._quirks.split_events
            )
        elif kind == "connect_error":
            self._compare_refusal(self._clients.pop(name), line["frame"])
        elif kind == "open":
            assert self._clients[name].status == 101
        elif kind == "send" and not self._clients[name].closed_by_client:
            await self._clients[name].send(self._resign(json.dumps(line["frame"])))
        elif kind == "recv":
            await self._expect(name, line)
        elif kind == "closed":
            await self._close(name, line["frame"])

    def _compare_refusal(self, client: _Client, expected: dict[str, Any]) -> None:
        assert (client.status, client.body) == (expected["status"], expected["body"])

    async def _close(self, name: str, frame: dict[str, Any]) -> None:
        client = self._clients[name]
        if self._quirks.server_closes:
            assert await client.close_code() == frame["code"]
        else:
            await asyncio.sleep(SETTLE)
            assert not client.waiting(), f"{name} got more than was recorded"
            await client.close()

    async def _expect(self, name: str, line: dict[str, Any]) -> None:
        client = self._clients[name]
        if "frame" not in line:
            text = await client.next_text(("realtime:t", ""))
            assert len(text) == line["bytes"]
            assert text.endswith(line["frame_end"][-300:])
            return
        expected = line["frame"]
        change = _change(expected)
        if change is not None:
            assert self._connection is not None
            await asyncio.to_thread(self._apply, self._connection, change)
        actual = json.loads(await client.next_text(_stream(expected, self._quirks.split_events)))
        assert self._normal(actual, actual=True) == self._normal(expected, actual=False)

    def _apply(self, connection: psycopg.Connection, change: dict[str, Any]) -> None:
        """Makes a recorded change, with all others of its transaction."""
        moment = change["commit_timestamp"]
        group = [change]
        if moment is not None:
            received = [line for line in self._lines if line["dir"] == "recv"]
            found = (_change(line.get("frame")) for line in received)
            group = [other for other in found if other and other["commit_timestamp"] == moment]
        with connection.transaction():
            for each in group:
                if each["errors"] is None and (each.get("record") or each.get("old_record")):
                    mark = json.dumps(each, sort_keys=True)
                    if mark not in self._applied:
                        self._applied.add(mark)
                        _make_change(connection, each)

    def _resign(self, text: str) -> str:
        return JWT.sub(lambda found: self._resigned(found.group()), text)

    def _resigned(self, token: str) -> str:
        claims = _claims(token)
        shift = int(time.time()) - self._base + self._quirks.clock_shift
        for name in ("iat", "exp"):
            if name in claims:
                claims[name] += shift
        signed = self._server.keys.sign(claims)
        forge = self._quirks.forged and claims["exp"] - shift < self._base + 10**7
        return (
            signed[:-6] + ("AAAAAA" if signed[-6:] != "AAAAAA" else "BBBBBB") if forge else signed
        )

    def _normal(self, value: Any, *, actual: bool) -> Any:
        """Replaces what cannot be the same twice by its form."""
        if isinstance(value, dict):
            return {key: self._normal_item(key, item, actual) for key, item in value.items()}
        if isinstance(value, list):
            return [self._normal(item, actual=actual) for item in value]
        if actual and isinstance(value, str):
            # A second may have begun between the signature and its check.
            return re.sub(r"1 seconds ago$", "0 seconds ago", value)
        return value

    def _normal_item(self, key: str, item: Any, actual: bool) -> Any:
        if key == "commit_timestamp" and item is not None:
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", item)
            return "a time"
        if key == "phx_ref":
            assert re.fullmatch(r"[\w-]{16}", item)
            return "a reference"
        return self._normal(item, actual=actual)


class _Client:
    def __init__(self, split_events: bool) -> None:
        self._split_events = split_events
        self._frames: defaultdict[Stream, asyncio.Queue[str]] = defaultdict(asyncio.Queue)
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._reading: asyncio.Task[None] | None = None
        self.closed_by_client = False
        self.status = 0
        self.body = ""

    @classmethod
    async def open(cls, session: aiohttp.ClientSession, url: str, split_events: bool) -> _Client:
        client = cls(split_events)
        try:
            client._socket = await session.ws_connect(url, max_msg_size=0)
        except aiohttp.WSServerHandshakeError as error:
            client.status = error.status
            async with session.get(url) as answer:
                client.body = await answer.text()
        else:
            client.status = 101
            client._reading = asyncio.create_task(client._read(client._socket))
        return client

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            stream = _stream(json.loads(message.data), self._split_events)
            self._frames[stream].put_nowait(message.data)

    async def send(self, text: str) -> None:
        assert self._socket is not None
        await self._socket.send_str(text)

    async def next_text(self, stream: Stream) -> str:
        async with asyncio.timeout(PATIENCE):
            return await self._frames[stream].get()

    def waiting(self) -> list[str]:
        return [stream[1] for stream, queue in self._frames.items() if queue.qsize()]

    async def close(self) -> None:
        self.closed_by_client = True
        if self._socket is not None and self._reading is not None:
            await self._socket.close()
            await self._reading

    async def close_code(self) -> int | None:
        assert self._socket is not None
        assert self._reading is not None
        async with asyncio.timeout(PATIENCE):
            await self._reading
        return self._socket.close_code


def _claims(token: str) -> dict[str, Any]:
    body = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return claims


def _stream(frame: Any, split_events: bool) -> Stream:
    topic, event = (
        (frame[2], frame[3])
        if isinstance(frame, list)
        else (
            frame["topic"],
            frame["event"],
        )
    )
    return topic, event if split_events else ""


def _change(frame: Any) -> dict[str, Any] | None:
    if isinstance(frame, list):
        event, payload = frame[3], frame[4]
    elif isinstance(frame, dict):
        event, payload = frame["event"], frame["payload"]
    else:
        return None
    return payload["data"] if event == "postgres_changes" else None


def _make_change(connection: psycopg.Connection, change: dict[str, Any]) -> None:
    table = sql.Identifier(change["schema"], change["table"])
    record, old = change.get("record"), change.get("old_record") or {}
    if record and record.get("bin"):
        record = {**record, "bin": "\\x" + record["bin"]}
    if change["type"] == "DELETE":
        query = sql.SQL("delete from {} where id = %s").format(table)
        connection.execute(query, (old["id"],))
        return
    assert record is not None
    columns = sql.SQL(", ").join(map(sql.Identifier, record))
    if change["type"] == "INSERT":
        query = sql.SQL(
            "insert into {t} ({c}) select {c} from jsonb_populate_record(null::{t}, %s::jsonb)"
        ).format(t=table, c=columns)
        connection.execute(query, (json.dumps(record),))
        return
    query = sql.SQL(
        "update {t} set ({c}) = (select {c} from jsonb_populate_record(null::{t}, %s::jsonb))"
        " where id = %s"
    ).format(t=table, c=columns)
    connection.execute(query, (json.dumps(record), record["id"]))
