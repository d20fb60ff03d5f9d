"""Terraform's `http` backend on a loopback address, for the time of one job.

Source: Terraform's documentation of the backend type `http`. State is read with GET and written
with POST, which names its lock as `?ID=`; LOCK answers 423 with the holder's info if it is taken.
"""

from __future__ import annotations

import hmac
import json
import logging
import secrets
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Protocol, Self

from aiohttp import encode_basic_auth, web
from aiohttp.typedefs import Handler

from vintner_client.errors import Conflict, VintnerError

log = logging.getLogger(__name__)

USER = "tendril"
PATH = "/state"
MAX_STATE_BYTES = 512 * 1024 * 1024


class StateStore(Protocol):
    """Where the state of the job's vine is kept. Each method may raise `VintnerError`."""

    async def get(self) -> str | None:
        """The state; None where there is none yet."""

    async def put(self, state: str, lock_id: str) -> None:
        """Stores the state under the lock of this id."""

    async def lock(self, info: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Takes the lock, or gives the info of the one who holds it."""

    async def unlock(self, lock_id: str | None) -> None:
        """Gives the lock of this id back; None whatever its id."""


class StateServer:
    """An async context manager that serves one state on a random port, with a random password.

    Args:
        store: where the state is kept.
    """

    def __init__(self, store: StateStore) -> None:
        self._store = store
        self._password = secrets.token_urlsafe(32)
        self._authorization = encode_basic_auth(USER, self._password)
        app = web.Application(
            middlewares=[self._check_password, _answer_errors], client_max_size=MAX_STATE_BYTES
        )
        app.router.add_get(PATH, self._get)
        app.router.add_post(PATH, self._put)
        app.router.add_route("LOCK", PATH, self._lock)
        app.router.add_route("UNLOCK", PATH, self._unlock)
        # whoever asked is gone when this ends, so nothing is waited for
        self._runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1
        )

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._runner.cleanup()

    @property
    def environment(self) -> dict[str, str]:
        """What configures the backend; in the environment it enters no file and no saved plan."""
        host, port = self._runner.addresses[0]
        address = f"http://{host}:{port}{PATH}"
        return {
            "TF_HTTP_ADDRESS": address,
            "TF_HTTP_LOCK_ADDRESS": address,
            "TF_HTTP_UNLOCK_ADDRESS": address,
            "TF_HTTP_USERNAME": USER,
            "TF_HTTP_PASSWORD": self._password,
        }

    @web.middleware
    async def _check_password(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), self._authorization.encode()):
            raise web.HTTPUnauthorized
        return await handler(request)

    async def _get(self, _: web.Request) -> web.Response:
        state = await self._store.get()
        if state is None:
            return web.Response(status=204)
        return web.Response(text=state, content_type="application/json")

    async def _put(self, request: web.Request) -> web.Response:
        await self._store.put(await request.text(), request.query.get("ID", ""))
        return web.Response()

    async def _lock(self, request: web.Request) -> web.Response:
        holder = await self._store.lock(await request.json())
        if holder is None:
            return web.Response()
        return web.json_response(dict(holder), status=423)

    async def _unlock(self, request: web.Request) -> web.Response:
        # `force-unlock` sends no info
        body = await request.text()
        await self._store.unlock(json.loads(body).get("ID") if body else None)
        return web.Response()


@web.middleware
async def _answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except VintnerError as error:
        log.warning("state %s refused: %s", request.method, error)
        # Terraform repeats a request that was answered 5xx; what is refused stays refused
        status = 409 if isinstance(error, Conflict) else 400
        return web.Response(status=status, text=str(error))
