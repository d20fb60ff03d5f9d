"""One more API in front of the stack's database, to be killed and to hand out short tokens."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from psycopg.conninfo import make_conninfo

from vintner_client import AsyncVintner
from vintner_local.keys import Keys
from vintner_local.pytest_plugin import SupabaseStack
from vintner_local.settings import ApiSettings


class ApiServer:
    """A process that serves REST, Auth and Realtime.

    Its port stays this one's while it is dead: who connects then is served by the next process.

    Attributes:
        url: where it listens.
        key: its publishable key.
    """

    def __init__(self, stack: SupabaseStack, listening: socket.socket, jwt_expiry: int) -> None:
        keys = Keys.generate()
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        self.key = keys.publishable
        self._listening = listening
        self._settings = ApiSettings(
            public_url=self.url,
            rest_dsn=make_conninfo(stack.admin_db_url, user="authenticator"),
            auth_dsn=make_conninfo(stack.admin_db_url, user="supabase_auth_admin"),
            realtime_dsn=stack.admin_db_url,
            keys=keys,
            jwt_expiry=jwt_expiry,
        )
        self._process: asyncio.subprocess.Process

    async def start(self) -> None:
        """Starts the process."""
        descriptor = self._listening.fileno()
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "vintner_local.api_process",
            str(descriptor),
            stdin=asyncio.subprocess.PIPE,
            pass_fds=[descriptor],
        )
        assert self._process.stdin is not None
        self._process.stdin.write(self._settings.model_dump_json().encode() + b"\n")

    async def kill(self) -> None:
        """Ends the process without a word to its clients."""
        self._process.kill()
        await self._process.wait()

    def client(self, url: str | None = None) -> AsyncVintner:
        """A client of it, not signed in.

        Args:
            url: another way to it, such as a proxy.
        """
        return AsyncVintner(url=url or self.url, key=self.key)


@asynccontextmanager
async def api_server(stack: SupabaseStack, *, jwt_expiry: int = 3600) -> AsyncIterator[ApiServer]:
    """A running API server.

    Args:
        stack: whose database it serves.
        jwt_expiry: how long its tokens hold, in seconds.
    """
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = ApiServer(stack, listening, jwt_expiry)
        await server.start()
        try:
            yield server
        finally:
            await server.kill()
