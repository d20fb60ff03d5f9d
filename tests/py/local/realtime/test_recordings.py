"""Conversations recorded from the real server, replayed frame by frame.

| not replayed as recorded | why | covered by |
| --- | --- | --- |
| 12_connect_unknown_tenant | a local stack has one tenant | nothing: there is no such answer |
| 40_subscriber_with_non_uuid_sub_… | the real server loses rows; this one must not | test_changes |
| 00_slot_creation_failing_* | replayed, with a role that may not replicate | this file |
| 41_server_restart | replayed up to the close; the restart is the client's | test_client |
| 13_raw_text_numbers.txt | bytes of one event | test_changes |
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from vintner_local.realtime import Limits

from .conftest import StartServer
from .replay import FRAMES, Quirks, Replay

A = "11111111-1111-4111-8111-111111111111"
B = "22222222-2222-4222-8222-222222222222"
JOB = "99999999-9999-4999-8999-999999999999"
AT = "2026-11-21T02:15:07.270914+00:00"


def unheard(number: int, user: str) -> str:
    """An insert that no recorded event tells of."""
    return (
        "insert into job_events (id, job_id, user_id, kind, at)"
        f" values ({number}, '{JOB}', '{user}', 'unheard', now())"
    )


def large(number: int, letter: str, size: int, data: str = "null") -> str:
    return (
        "insert into job_events (id, job_id, user_id, kind, at, big, data) values"
        f" ({number}, '{JOB}', '{A}', 'big', '{AT}', repeat('{letter}', {size}), {data})"
    )


QUIRKS = {
    "12_connect_forged_apikey": Quirks(forged=True),
    "12_jwt_forged": Quirks(forged=True),
    "13_insert_update_delete_rls_default_identity": Quirks(sql={42: ["truncate job_events"]}),
    "18_no_grant_table": Quirks(
        sql={
            5: ["insert into no_grant values (1, 'a')"],
            6: ["update no_grant set kind = 'b'"],
            7: ["delete from no_grant"],
        }
    ),
    "18_no_pk_table": Quirks(sql={5: ["insert into no_pk values (1, 'a')"]}),
    "20_access_token_refresh": Quirks(
        sql={20: [unheard(19, B)], 24: [unheard(23, A)]}, skip=frozenset({22})
    ),
    "21_jwt_expires_while_joined": Quirks(sql={10: [unheard(30, A)]}, clock_shift=-4),
    "24_idle_no_heartbeat": Quirks(server_closes=True),
    "25_large_row_1500kB": Quirks(
        sql={
            5: [large(24, "x", 1_500_000, """'{"a": 1}'""")],
            9: [large(25, "y", 900_000)],
            11: [large(26, "z", 1_046_000)],
        }
    ),
    "28_table_dropped_from_publication": Quirks(
        sql={
            11: ["alter publication supabase_realtime drop table job_events"],
            12: [unheard(1, A)],
            36: [unheard(2, A)],
            38: ["alter publication supabase_realtime add table job_events"],
            39: [unheard(5, A)],
            53: [unheard(6, A)],
        },
        split_events=True,
    ),
    "41_server_restart": Quirks(server_closes=True, stop_at=6),
}
ELSEWHERE = {
    "12_connect_unknown_tenant",
    "13_raw_text_numbers",
    "40_subscriber_with_non_uuid_sub_breaks_everyone",
}
NAMES = sorted(path.stem for path in FRAMES.glob("*.jsonl") if path.stem not in ELSEWHERE)


@pytest.mark.parametrize("name", NAMES)
async def test_recording(name: str, start_server: StartServer, dsn_without_slots: str) -> None:
    options: dict[str, object] = {}
    if name.startswith("00_"):
        options["dsn"] = dsn_without_slots
        options["limits"] = Limits(join_patience=0.5, confirm_patience=0.5)
    if name.startswith("20_access_token_refresh"):
        options["delay"] = "real"
    if name.startswith("24_"):
        options["limits"] = Limits(idle_seconds=1.5)
    server = await start_server(**options)
    await Replay(server, f"{name}.jsonl", QUIRKS.get(name, Quirks())).run()


def test_every_file_is_accounted_for() -> None:
    assert len(NAMES) + len(ELSEWHERE) == len(list(FRAMES.glob("*.jsonl")))
    assert {*QUIRKS} <= {*NAMES}


@pytest.fixture(scope="session")
def dsn_without_slots(realtime_dsn: str) -> Iterator[str]:
    """The database as a role that may subscribe but not replicate."""
    role = f"realtime_no_slots_{secrets.token_hex(6)}"
    with psycopg.connect(realtime_dsn, autocommit=True) as connection:
        connection.execute(f"create role {role} login password 'no-slots'")
        connection.execute(f"grant anon, authenticated, service_role to {role}")
    yield make_conninfo(realtime_dsn, user=role, password="no-slots")
    with psycopg.connect(realtime_dsn, autocommit=True) as connection:
        connection.execute(f"drop role {role}")
