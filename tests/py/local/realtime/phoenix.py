"""A bare client of the protocol, for what a client library hides."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import AddrInfoType

from .conftest import Server

PATIENCE = 5.0
A = "11111111-1111-4111-8111-111111111111"
B = "22222222-2222-4222-8222-222222222222"


def user_token(server: Server, sub: str = A, *, role: str = "authenticated", **claims: Any) -> str:
    """A user's JWT that holds for an hour."""
    return server.keys.sign({"role": role, "sub": sub, "exp": int(time.time()) + 3600, **claims})


class Phoenix:
    """One connection in either version of the protocol."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, version: str) -> None:
        self.socket = socket
        self._version = version

    async def send(
        self, topic: str, event: str, payload: Any, *, ref: str = "1", join_ref: str = "1"
    ) -> None:
        if self._version == "2.0.0":
            await self.socket.send_str(json.dumps([join_ref, ref, topic, event, payload]))
            return
        frame = {"topic": topic, "event": event, "payload": payload, "ref": ref}
        await self.socket.send_str(json.dumps({**frame, "join_ref": join_ref}))

    async def frame(self) -> aiohttp.WSMessage:
        """The next frame as it came."""
        return await self.socket.receive(PATIENCE)

    async def next(self) -> tuple[str, Any]:
        """Event and payload of the next text frame."""
        data = json.loads((await self.frame()).data)
        return (data[3], data[4]) if isinstance(data, list) else (data["event"], data["payload"])

    async def event(self) -> dict[str, Any]:
        """The data of the next frame, which is a change."""
        event, payload = await self.next()
        assert event == "postgres_changes", payload
        data: dict[str, Any] = payload["data"]
        return data

    async def silence(self, seconds: float = 0.3) -> None:
        """Fails if anything comes."""
        try:
            message = await self.socket.receive(seconds)
        except TimeoutError:
            return
        raise AssertionError(f"unexpected: {message.data!r}")

    async def join(
        self,
        topic: str,
        token: str | None = None,
        *changes: dict[str, Any],
        private: bool = False,
        broadcast: dict[str, Any] | None = None,
        ok: bool = True,
    ) -> Any:
        """Joins, and waits for the subscription if one is asked for; gives the reply's response."""
        config = {
            "broadcast": broadcast or {},
            "presence": {"enabled": False},
            "postgres_changes": list(changes),
            "private": private,
        }
        await self.send(f"realtime:{topic}", "phx_join", {"config": config, "access_token": token})
        event, payload = await self.next()
        assert (event, payload["status"]) == ("phx_reply", "ok" if ok else "error"), payload
        if changes and ok:
            event, system = await self.next()
            assert (event, system["message"]) == ("system", "Subscribed to PostgreSQL")
        return payload["response"]


@asynccontextmanager
async def connect(
    server: Server,
    version: str = "1.0.0",
    apikey: str | None = None,
    receive_buffer: int | None = None,
) -> AsyncIterator[Phoenix]:
    """Opens a connection, with the publishable key unless told otherwise.

    A receive buffer of few bytes makes it felt soon that a client reads nothing.
    """

    def make_socket(address: AddrInfoType) -> socket.socket:
        made = socket.socket(*address[:3])
        if receive_buffer is not None:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        return made

    params = {"apikey": apikey or server.keys.publishable, "vsn": version}
    async with (
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(socket_factory=make_socket)
        ) as session,
        session.ws_connect(f"{server.url}/websocket", params=params, max_msg_size=0) as opened,
    ):
        yield Phoenix(opened, version)
