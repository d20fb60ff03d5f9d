"""An event loop in a thread of its own, for callers that have none."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import Any, TypeVar

from vintner_client.errors import ClientClosed, InvalidInput, VintnerError

Item = TypeVar("Item")
Result = TypeVar("Result")


class LoopThread:
    """A thread that runs an event loop, begun by the first call that needs it.

    It is a daemon: a program that forgets to close its client still ends.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """The result of some work, awaited in the thread.

        Raises:
            ClientClosed: the client is closed.
            InvalidInput: this is the thread itself, which would wait for itself, or another process
                than the thread's.
        """
        try:
            self._refuse_own_thread()
            loop = self._running_loop()
        except VintnerError:
            work.close()
            raise
        future = asyncio.run_coroutine_threadsafe(work, loop)
        try:
            return future.result()
        except CancelledError as error:
            raise _closed() from error
        except BaseException:
            # a Ctrl-C that comes while waiting
            future.cancel()
            raise

    def iterate(self, items: AsyncGenerator[Item, None]) -> Generator[Item, None, None]:
        """The items of an asynchronous generator, which is closed when the caller leaves."""

        asking: asyncio.Task[Any] | None = None

        async def following() -> tuple[Item, ...]:
            nonlocal asking
            asking = asyncio.current_task()
            try:
                return (await anext(items),)
            except StopAsyncIteration:
                return ()

        async def leave() -> None:
            # a Ctrl-C leaves the generator at work, and only one that rests can be closed
            if asking is not None:
                asking.cancel()
                await asyncio.wait([asking])
            await items.aclose()

        try:
            while found := self.run(following()):
                yield found[0]
        finally:
            # closing the client has closed it
            with suppress(ClientClosed):
                self.run(leave())

    def close(self, before: Callable[[], Awaitable[None]]) -> None:
        """Ends the loop and the thread, once.

        Args:
            before: is awaited in the thread first.

        Raises:
            InvalidInput: this is the thread itself, which would wait for itself.
        """
        self._refuse_own_thread()
        with self._lock:
            self._closed = True
            loop, self._loop = self._loop, None
            thread, self._thread = self._thread, None
        # after a fork, the thread is the other process's
        if loop is None or thread is None or not thread.is_alive():
            return

        async def end() -> None:
            await before()
            current = asyncio.current_task()
            left = [task for task in asyncio.all_tasks() if task is not current]
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
            await asyncio.get_running_loop().shutdown_asyncgens()

        asyncio.run_coroutine_threadsafe(end(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

    def _refuse_own_thread(self) -> None:
        if threading.current_thread() is self._thread:
            raise InvalidInput(
                "A callback of live data waits for the thread that it runs in.",
                hint="Leave the call to another thread.",
            )

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._closed:
                raise _closed()
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=self._loop.run_forever, name="vintner-live", daemon=True
                )
                self._thread.start()
            elif self._thread is not None and not self._thread.is_alive():
                raise InvalidInput(
                    "This client's live data stayed in the process that this one was forked from.",
                    hint="Make a client in each process.",
                )
            return self._loop


def _closed() -> ClientClosed:
    return ClientClosed("The client is closed.", hint="Make a new one.")
