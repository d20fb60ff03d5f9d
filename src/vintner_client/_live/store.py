"""A live store: items that stay as the server has them, for programs that show or await them.

It fetches when it is opened, follows the changes over Realtime, and fetches again whenever changes
may have been missed: after each reconnect, and in any case when the last fetch is 30 seconds old,
since servers drop changes without a word and tell nobody of rights that were given or taken.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self
from uuid import UUID

from vintner_client._live.changes import Change, Watch
from vintner_client._live.cleanup import to_the_end
from vintner_client._live.kinds import Filters, Item, Kind
from vintner_client._live.memory import Memory, View
from vintner_client._live.table import Table
from vintner_client._parsing import parse
from vintner_client._retries import pause
from vintner_client.errors import ClientClosed, InvalidInput, ServerFailed, VintnerError
from vintner_client.models import Record

if TYPE_CHECKING:
    from vintner_client._live.subscriptions import Subscription

STALE_AFTER = 30.0
"""Seconds after which what was fetched is fetched again."""

log = logging.getLogger(__name__)


class AsyncStore(Generic[Item, Filters]):
    """Items that stay as the server has them. An async context manager, and open while in it.

    `items`, `get` and the other properties can be read at any time and from any thread, and hold
    the last that is known once it is closed. Every other method belongs to one event loop.

    Args:
        kind: what it shows.
        subscribe: gives a subscription to changes.
        memory: where its filter and its pages are remembered.
        page_size: how many items each page brings.
        clock: the time in seconds, from any beginning on.
    """

    def __init__(
        self,
        kind: Kind[Item, Filters],
        subscribe: Callable[..., Subscription],
        memory: Memory[Filters],
        page_size: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kind = kind
        self._subscribe = subscribe
        self._memory = memory
        self._page_size = page_size
        self._clock = clock
        self._tables: dict[str, Table[Any]] = {name: Table() for name in kind.models}
        self._view = memory.load()
        self._last_place: tuple[float, int] | None = None
        self._items: dict[UUID, Item] = {}
        self._due = -math.inf
        self._error: VintnerError | None = None
        self._failures = 0
        self._fetching = asyncio.Lock()
        self._callbacks: list[Callable[[tuple[Item, ...]], object]] = []
        self._news: set[asyncio.Event] = set()
        self._subscription: Subscription | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def items(self) -> tuple[Item, ...]:
        """The items of all pages so far, in order: jobs newest first, all else oldest first."""
        return tuple(self._items.values())

    @property
    def filter(self) -> Filters:
        """Which items it shows."""
        return self._view.filter

    @property
    def pages(self) -> int:
        """How many pages it shows, one after the other."""
        return self._view.pages

    @property
    def has_more(self) -> bool:
        """Whether there were items beyond these when it last fetched."""
        return self._last_place is not None

    @property
    def error(self) -> VintnerError | None:
        """Why the last fetch in the background failed; None once one succeeds.

        It goes on trying; the items are those of before. For the state of Realtime, see
        `client.live.state`.
        """
        return self._error

    def get(self, item_id: UUID) -> Item | None:
        """An item; None where `items` has none of this id.

        Args:
            item_id: its id.
        """
        return self._items.get(item_id)

    async def open(self) -> None:
        """Fetches, unless it did within the last 30 seconds, and follows from here on.

        Raises:
            InvalidInput: it is open already.
            VintnerError: the server could not be asked.
        """
        if self._subscription is not None:
            raise InvalidInput("The store is open already.")
        watches = [Watch("*", table) for table in self._kind.models]
        self._subscription = subscription = self._subscribe(*watches)
        try:
            await subscription.__aenter__()
            if self._due <= self._clock():
                await self.refresh()
            if self._subscription is not subscription:
                raise _closed()  # while it was fetching
        except BaseException:
            await self.close()
            raise
        self._task = asyncio.create_task(self._follow(subscription), name="vintner-store")

    async def close(self) -> None:
        """Follows no longer; the items stay as they are. Who iterates over `changes` is told."""
        await to_the_end(self._leave())

    async def _leave(self) -> None:
        task, self._task = self._task, None
        subscription, self._subscription = self._subscription, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if subscription is not None:
            await subscription.close()
        for news in self._news:
            news.set()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def refresh(self) -> None:
        """Fetches now.

        Raises:
            VintnerError: the server could not be asked.
        """
        await self._fetch(lambda view: view)

    async def more(self) -> None:
        """Fetches one page more.

        Raises:
            VintnerError: the server could not be asked.
        """
        await self._fetch(lambda view: View(view.filter, view.pages + 1))
        self._memory.keep(self._view)

    async def show(self, wanted: Filters, /) -> None:
        """Shows other items, from the first page on.

        Args:
            wanted: which.

        Raises:
            VintnerError: the server could not be asked; it shows the same as before.
        """
        await self._fetch(lambda _: View(wanted))
        self._memory.keep(self._view)

    def add_or_update(self, row: Record, /) -> None:
        """Takes a row that a call has answered, unless a newer state of it is known.

        Args:
            row: a `Job`, a `Tendril`, or in a store of vineyards a `Vineyard` or a `Vine`.

        Raises:
            InvalidInput: it is none of these.
        """
        for name, model in self._kind.models.items():
            if isinstance(row, model):
                self._tables[name].put(row)
                self._publish()
                return
        raise InvalidInput(f"No {type(row).__name__} stands in this store.")

    def remove(self, row_id: UUID, /) -> None:
        """Forgets a row that is no more; one that is not known is passed over.

        Args:
            row_id: an item, or a vine.
        """
        for table in self._tables.values():
            table.remove(row_id)
        self._publish()

    @contextmanager
    def optimistic(self, row_id: UUID, /, **values: Any) -> Iterator[None]:
        """Shows a row as a call will make it, while the call goes on.

            with jobs.optimistic(job.id, status=JobStatus.CANCELLED):
                await client.jobs.cancel(job.id)

        If the call raises, the row is again as the server has it. A newer row from the server ends
        it earlier. A row that is not in the store is passed over.

        Args:
            row_id: an item, or a vine.
            values: by field.

        Raises:
            InvalidInput: a field that it has not, or a value that does not fit.
        """
        end = self._expect(row_id, values)
        succeeded = False
        try:
            yield
            succeeded = True
        finally:
            end(succeeded)

    def _expect(self, row_id: UUID, values: Mapping[str, Any]) -> Callable[[bool], None]:
        """Begins what `optimistic` does, and gives what ends it."""
        table = next((t for t in self._tables.values() if t.get(row_id) is not None), None)
        if table is None:
            return lambda succeeded: None
        end_in_table = table.expect(row_id, values)
        self._publish()

        def end(succeeded: bool) -> None:
            end_in_table(succeeded)
            self._publish()

        return end

    def on_change(self, callback: Callable[[tuple[Item, ...]], object], /) -> Callable[[], None]:
        """Has a function called with the items whenever they have changed.

        What comes at once is told once. What the function raises is logged.

        Args:
            callback: a plain function; it is called in the event loop, and must not block.

        Returns:
            A function that ends it.
        """
        self._callbacks.append(callback)

        def unsubscribe() -> None:
            with suppress(ValueError):
                self._callbacks.remove(callback)

        return unsubscribe

    async def changes(self) -> AsyncGenerator[tuple[Item, ...], None]:
        """The items as they are, and again whenever they have changed.

        Who reads slowly gets the newest and misses what was between.

        Raises:
            ClientClosed: the store is closed, or its client.
        """
        news = asyncio.Event()
        self._news.add(news)
        try:
            while self._subscription is not None:
                news.clear()
                yield self.items
                await news.wait()
            raise _closed()
        finally:
            self._news.discard(news)

    async def _follow(self, subscription: Subscription) -> None:
        while True:
            left = self._due - self._clock()
            news = await subscription.next(left) if left > 0 else None
            # silence for so long, and anything but a whole change, may hide what was missed
            is_known = news is not None
            while news is not None:
                is_known = is_known and isinstance(news, Change) and self._apply(news)
                news = await subscription.next(0)
            if is_known:
                self._publish()
            else:
                await self._refetch()

    def _apply(self, change: Change) -> bool:
        """Takes a change; False where it does not say enough."""
        record = change.key if change.event == "DELETE" else change.record
        if record is None or "id" not in record:
            return False
        table = self._tables[change.table]
        row_id = UUID(record["id"])
        if change.event == "DELETE" or record.get("removed_at") is not None:
            table.remove(row_id)
            return True
        known = table.get(row_id)
        whole = {**({} if known is None else dict(known)), **record}
        try:
            table.put(parse(self._kind.models[change.table], whole))
        except ServerFailed as error:
            log.debug("a change does not say enough: %s", error)
            return False
        return True

    async def _refetch(self) -> None:
        try:
            await self.refresh()
        except VintnerError as error:
            if self._error is None:
                log.warning("a live store cannot fetch, and goes on trying: %s", error)
            self._error = error
            self._failures += 1
            self._due = self._clock() + pause(min(self._failures, 9))

    async def _fetch(self, change: Callable[[View[Filters]], View[Filters]]) -> None:
        async with self._fetching:
            view = change(self._view)
            count = view.pages * self._page_size
            for table in self._tables.values():
                table.begin_fetch()
            try:
                # one more tells whether there are more; it stays out of sight
                found = await self._kind.fetch(view.filter, count + 1)
            except BaseException:
                for table in self._tables.values():
                    table.abandon_fetch()
                raise
            for name, table in self._tables.items():
                table.end_fetch(found[name])
            rows = next(iter(found.values()))
            self._last_place = self._kind.place(rows[count - 1]) if len(rows) > count else None
            self._view = view
            self._due = self._clock() + STALE_AFTER
            self._error = None
            self._failures = 0
        self._publish()

    def _publish(self) -> None:
        """Shows what is known now, and tells of it if that is news."""
        is_wanted = self._view.filter.test()
        shown = filter(is_wanted, self._kind.items(self._tables))
        items = {
            each.id: each
            for each in sorted(shown, key=self._kind.place)
            if self._last_place is None or self._kind.place(each) <= self._last_place
        }
        if items != self._items:
            self._items = items
            self._tell()

    def _tell(self) -> None:
        for news in self._news:
            news.set()
        for callback in list(self._callbacks):
            try:
                callback(self.items)
            except Exception:
                log.exception("a callback of a live store failed")


def _closed() -> ClientClosed:
    return ClientClosed("The store is closed.", hint="Open it, or its client, anew.")
