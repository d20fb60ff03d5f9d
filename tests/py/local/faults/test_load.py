"""Many requests at once, by many users, against a whole stack."""

from __future__ import annotations

import asyncio
import os
import socket
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from support.waiting import until

from ..stack.small_project import Project

USERS = 10
REQUESTS = 500
LARGEST_GROWTH = 100 * 2**20


@dataclass(frozen=True)
class User:
    """A signed-in user."""

    number: int
    id: str
    headers: dict[str, str]


@pytest.fixture
async def http(project: Project) -> AsyncIterator[httpx.AsyncClient]:
    limits = httpx.Limits(max_connections=REQUESTS, max_keepalive_connections=REQUESTS)
    state = project.state
    headers = {"apikey": state.keys.publishable}
    async with httpx.AsyncClient(
        base_url=state.api_url, headers=headers, limits=limits, timeout=60
    ) as client:
        yield client


async def sign_up(http: httpx.AsyncClient, number: int) -> User:
    body = {"email": f"{number}-{os.urandom(8).hex()}@example.com", "password": "correct horse"}
    answer = await http.post("/auth/v1/signup", json=body)
    assert answer.status_code == 200, answer.text
    token = answer.json()["access_token"]
    return User(number, answer.json()["user"]["id"], {"Authorization": f"Bearer {token}"})


async def request(http: httpx.AsyncClient, user: User, number: int) -> str:
    """One of the mixed requests, its answer checked; says which kind it was."""
    match number % 4:
        case 0:
            row = {"writer": user.id, "number": number}
            prefer = {"Prefer": "return=representation", **user.headers}
            made = await http.post("/rest/v1/written", json=row, headers=prefer)
            assert (made.status_code, made.json()) == (201, [{**row, "owner": user.id}])
            return "write"
        case 1:
            found = await http.get("/rest/v1/written?select=owner", headers=user.headers)
            assert found.status_code == 200
            assert {row["owner"] for row in found.json()} <= {user.id}
            return "read"
        case 2:
            called = await http.post("/rest/v1/rpc/whoami", json={}, headers=user.headers)
            assert (called.status_code, called.json()) == (200, user.id)
            return "rpc"
        case _:
            twice = {"writer": user.id, "number": -1}
            refused = await http.post("/rest/v1/written", json=twice, headers=user.headers)
            assert (refused.status_code, refused.json()["code"]) == (409, "23505")
            return "conflict"


async def test_500_requests_at_once(project: Project, http: httpx.AsyncClient) -> None:
    users = await asyncio.gather(*(sign_up(http, number) for number in range(USERS)))
    for user in users:
        row = {"writer": user.id, "number": -1}
        first = await http.post("/rest/v1/written", json=row, headers=user.headers)
        assert first.status_code == 201
    api = psutil.Process(project.running.parts["api"].process.pid)
    before = api.memory_info().rss

    done = Counter(
        await asyncio.gather(*(request(http, users[n // 4 % USERS], n) for n in range(REQUESTS)))
    )

    assert done == dict.fromkeys(("write", "read", "rpc", "conflict"), REQUESTS // 4)
    assert api.memory_info().rss - before < LARGEST_GROWTH
    for user in users:
        counted = await http.get("/rest/v1/written?select=count", headers=user.headers)
        expected = sum(1 for n in range(0, REQUESTS, 4) if n // 4 % USERS == user.number)
        assert counted.json() == [{"count": expected + 1}]
    anonymous = await http.get("/rest/v1/written?select=count")
    assert (anonymous.status_code, anonymous.json()["code"]) == (401, "42501")


async def test_clients_that_read_slowly_block_nobody(
    project: Project, http: httpx.AsyncClient
) -> None:
    """As many as REST has connections ask for much and read nothing, as many stop half-way."""
    address = urlsplit(project.state.api_url)
    apikey = project.state.keys.publishable
    asked = (
        f"GET /rest/v1/rpc/large?rows=20000 HTTP/1.1\r\nHost: {address.netloc}\r\n"
        f"apikey: {apikey}\r\n\r\n"
    ).encode()
    half = f"POST /rest/v1/written HTTP/1.1\r\nHost: x\r\napikey: {apikey}\r\n".encode()
    slow: list[socket.socket] = []
    try:
        for number in range(40):
            opened = socket.create_connection((address.hostname or "", address.port or 0))
            slow.append(opened)
            opened.sendall(asked if number % 2 else half)
        user = await sign_up(http, 0)

        async def answered() -> bool:
            called = await http.post("/rest/v1/rpc/whoami", json={}, headers=user.headers)
            return called.status_code == 200 and called.json() == user.id

        async with asyncio.timeout(20):
            assert all(await asyncio.gather(*(answered() for _ in range(50))))
            await until(answered)
    finally:
        for each in slow:
            each.close()
