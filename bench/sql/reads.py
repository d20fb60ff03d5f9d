"""Reads under row level security, beside the same rows read by service_role."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
import rows
from report import spread, table
from server import Server

VINEYARDS, VINES, QUEUES = 10, 10, 10
"""Of each user, of each vineyard, of each vine."""
ROUNDS = 1000

LIST: LiteralString = "select * from public.vine_queues"
COUNT: LiteralString = "select count(*) from public.vine_queues"
MINE: LiteralString = "where account_id = any ($1::uuid[])"


@dataclass(frozen=True)
class Read:
    """A query as someone whom policies judge, and as service_role, who names the rows.

    Attributes:
        name: for the table.
        judged: takes a row's id as `$1`, or nothing.
        named: takes the accounts as `$1`, and the row's id as `$2`, or the accounts alone.
    """

    name: str
    judged: LiteralString
    named: LiteralString


READS = (
    Read(
        "list, limit 50",
        LIST + " limit 50",
        LIST + f" {MINE} limit 50",
    ),
    Read(
        "count",
        COUNT,
        COUNT + f" {MINE}",
    ),
    Read(
        "by key",
        LIST + " where id = $1",
        LIST + " where id = $1",
    ),
)


def timed(
    session: psycopg.Connection[Any], query: LiteralString, values: list[Any]
) -> tuple[float, Any]:
    """How long a query takes, in seconds, and its answer."""
    began = time.perf_counter()
    answer = session.cursor().execute(query, values).fetchall()
    return time.perf_counter() - began, answer


def compare(server: Server, users: int, shared: int) -> None:
    """Prints reads as an owner and as viewers of one team and of many, beside service_role's.

    Args:
        server: holds the migrations; its people are added to.
        users: how many there are.
        shared: how many of their accounts the viewer of many belongs to.
    """
    with server.connect() as admin:
        people = rows.sign_up(admin, users)
        rows.plant(admin, people, VINEYARDS, VINES)
        total = rows.add_queues(admin, QUEUES)
        viewers = {1: "team member", shared: f"member of {shared} teams"}
        joined = list(zip(rows.sign_up(admin, len(viewers)), viewers, strict=True))
        for viewer, teams in joined:
            rows.join(admin, viewer, [person.account for person in people[:teams]])
        admin.execute("vacuum analyze")
        found = admin.execute(
            "select id from public.vine_queues where account_id = %s limit 1",
            [people[0].account],
        ).fetchone()
        assert found is not None
    personas = {"owner": (people[0], [people[0].account])} | {
        viewers[teams]: (viewer, [viewer.account, *(person.account for person in people[:teams])])
        for viewer, teams in joined
    }
    lines = []
    for persona, (person, accounts) in personas.items():
        for read in READS:
            lines.append(pair(server, persona, person, accounts, read, found[0]))
    print(f"Reads of one kind of component, {total:,} rows, {users:,} users\n")
    table(["as", "read", "rows", "ms", "service_role, ms", "ratio of medians"], lines)


def pair(
    server: Server, persona: str, person: rows.Person, accounts: list[Any], read: Read, key: Any
) -> list[str]:
    """One line of the table: both take turns, query by query."""
    judged_values = [key] if "$1" in read.judged else []
    named_values = judged_values or [accounts]
    options: dict[str, Any] = {
        "autocommit": True,
        "cursor_factory": psycopg.RawCursor,
        "prepare_threshold": 0,
    }
    took: tuple[list[float], list[float]] = ([], [])
    with (
        psycopg.connect(server.url(), **options) as judged,
        psycopg.connect(server.url(), **options) as named,
    ):
        rows.act_as(judged, person.id)
        rows.act_as_service(named)
        sides = ((judged, read.judged, judged_values), (named, read.named, named_values))
        counts = []
        for number in range(ROUNDS + 20):
            for side, asked in enumerate(sides):
                seconds, answer = timed(*asked)
                counts.append(answer[0][0] if read.name == "count" else len(answer))
                if number >= 20:
                    took[side].append(seconds * 1000)
    if len(set(counts)) != 1:
        raise SystemExit(f"{persona}, {read.name}: the two saw different rows: {set(counts)}")
    ratio = statistics.median(took[0]) / statistics.median(took[1])
    return [
        persona,
        read.name,
        f"{counts[0]:,}",
        spread(took[0], 2),
        spread(took[1], 2),
        f"{ratio:.2f}",
    ]
