"""A front of the stack's API that answers chosen functions with an error of its own."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import ClientSession, web

PASSED_ON = ("apikey", "Authorization", "Content-Type", "Accept", "Prefer")


class Faulty:
    """Passes requests on, until told otherwise.

    Attributes:
        answers: the HTTP status that calls of a function get instead, by the function's name.
        says: the JSON that goes with it, as if a rule refused; a page of HTML by default.
        loses: functions, or tables, whose calls are passed on and their answers lost.
        times: how many calls of a function get it; all by default.
        failed: how many calls of a function got it.
        url: where it listens.
    """

    def __init__(self, target: str, http: ClientSession) -> None:
        self.answers: dict[str, int] = {}
        self.says: dict[str, object] = {}
        self.loses: set[str] = set()
        self.times: dict[str, int] = {}
        self.failed: Counter[str] = Counter()
        self.url = ""
        self._target = target
        self._http = http

    async def handle(self, request: web.Request) -> web.Response:
        function = request.path.rpartition("/")[2]
        is_due = self.failed[function] < self.times.get(function, sys.maxsize)
        if is_due and (status := self.answers.get(function)):
            self.failed[function] += 1
            if function in self.says:
                return web.json_response(self.says[function], status=status)
            return web.Response(status=status, text="<html>an error of the front</html>")
        headers = {name: request.headers[name] for name in PASSED_ON if name in request.headers}
        body = await request.read()
        async with self._http.request(
            request.method, f"{self._target}{request.path_qs}", headers=headers, data=body
        ) as answer:
            if is_due and function in self.loses:
                self.failed[function] += 1
                await answer.read()
                assert request.transport is not None
                request.transport.abort()
            return web.Response(
                status=answer.status,
                body=await answer.read(),
                headers={"Content-Type": answer.headers.get("Content-Type", "text/plain")},
            )


@asynccontextmanager
async def faulty_front(target: str) -> AsyncIterator[Faulty]:
    """A front of a URL."""
    async with ClientSession() as http:
        faulty = Faulty(target, http)
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", faulty.handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            host, port = runner.addresses[0]
            faulty.url = f"http://{host}:{port}"
            yield faulty
        finally:
            await runner.cleanup()
