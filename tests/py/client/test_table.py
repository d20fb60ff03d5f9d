"""What a store knows of a table, beside a server whose changes come late and whose answers too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from vintner_client._live.table import Table
from vintner_client.models import Vineyard

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
EXPECTED = "as the call will make it"
PLACES = st.integers(0, 1)


@dataclass
class Call:
    """A call that goes on, and its row as the store knew it."""

    known: Vineyard
    end: Callable[[bool], None]


class Reading(RuleBasedStateMachine):
    """Rows that change, an ordered stream of the changes, and fetches and calls that take long."""

    def __init__(self) -> None:
        super().__init__()
        self.table: Table[Vineyard] = Table()
        self.changes = 0
        self.ids: dict[int, UUID] = {}
        self.server: dict[UUID, Vineyard] = {}
        self.stream: list[Vineyard | UUID] = []
        self.answer: list[Vineyard] | None = None
        self.calls: list[Call] = []
        self.succeeded: list[Call] = []
        self.came: set[UUID] = set()
        self.gone: set[UUID] = set()
        self.before: dict[UUID, Vineyard] = {}

    @rule(place=PLACES)
    def write(self, place: int) -> None:
        """The server makes a row, or changes it."""
        row_id = self.ids.setdefault(place, uuid4())
        self.changes += 1
        self.server[row_id] = Vineyard(
            id=row_id,
            account_id=row_id,
            user_id=None,
            name=f"change {self.changes}",
            description=None,
            requires_approval=False,
            created_at=BEGINNING,
            updated_at=BEGINNING + timedelta(microseconds=self.changes),
        )
        self.stream.append(self.server[row_id])

    @rule(place=PLACES)
    def delete(self, place: int) -> None:
        """The server deletes a row, whose id does not come again."""
        row_id = self.ids.pop(place, None)
        if row_id is not None:
            del self.server[row_id]
            self.stream.append(row_id)

    @precondition(lambda self: self.stream)
    @rule(is_lost=st.booleans())
    def hear_one(self, is_lost: bool) -> None:
        """The next change comes, or is dropped without a word."""
        change = self.stream.pop(0)
        if not is_lost:
            self.hear(change)

    @rule()
    def hear_all(self) -> None:
        """Every change so far comes."""
        while self.stream:
            self.hear(self.stream.pop(0))

    def hear(self, change: Vineyard | UUID) -> None:
        """A change comes."""
        if isinstance(change, UUID):
            self.table.remove(change)
            self.gone.add(change)
        else:
            self.take(change)

    def take(self, row: Vineyard) -> None:
        """A row comes while a fetch may go on."""
        self.table.put(row)
        self.came.add(row.id)

    @rule(place=PLACES)
    def read(self, place: int) -> None:
        """A call of the caller's own answers a row."""
        if place in self.ids:
            self.take(self.server[self.ids[place]])

    @precondition(lambda self: self.answer is None)
    @rule()
    def ask(self) -> None:
        """A fetch begins, and is answered by the server as it is now."""
        self.table.begin_fetch()
        self.answer = list(self.server.values())
        self.came = set()

    @precondition(lambda self: self.answer is not None)
    @rule(comes=st.booleans())
    def get(self, comes: bool) -> None:
        """The answer comes, or fails to."""
        assert self.answer is not None
        if comes:
            self.table.end_fetch(self.answer)
            assert {row.id for row in self.table.rows()} >= self.came - self.gone
        else:
            self.table.abandon_fetch()
        self.answer = None

    @rule(place=PLACES)
    def call(self, place: int) -> None:
        """A call begins whose outcome is shown ahead."""
        known = self.table.get(self.ids[place]) if place in self.ids else None
        if known is not None:
            self.calls.append(Call(known, self.table.expect(known.id, {"name": EXPECTED})))

    @precondition(lambda self: self.calls)
    @rule(succeeds=st.booleans())
    def end(self, succeeds: bool) -> None:
        """The first call ends."""
        call = self.calls.pop(0)
        call.end(succeeds)
        if succeeds:
            self.succeeded.append(call)

    @rule()
    def settle(self) -> None:
        """Everything that is under way ends; then the store shows what the server has."""
        while self.calls:
            self.end(False)
        if self.answer is not None:
            self.get(False)
        self.ask()
        self.get(True)
        self.hear_all()
        assert {row.id: row for row in self.table.rows()} == self.server

    @invariant()
    def none_goes_back(self) -> None:
        """A row is never older than it was, and what was deleted does not come back."""
        now = {row.id: row for row in self.table.rows()}
        assert not self.gone & now.keys()
        for row_id, row in self.before.items():
            assert row_id not in now or now[row_id].updated_at >= row.updated_at
        self.before = now

    @invariant()
    def calls_are_shown_ahead(self) -> None:
        """A call's outcome is shown while it goes on, and no longer than until a newer row."""
        for row in self.table.rows():
            state = (row.id, row.updated_at)
            if row.name == EXPECTED:
                known = [call.known for call in (*self.calls, *self.succeeded)]
                assert state in [(each.id, each.updated_at) for each in known]
            else:
                known = [call.known for call in self.calls]
                assert state not in [(each.id, each.updated_at) for each in known]


TestReading = Reading.TestCase
TestReading.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
