"""Parts that need no server."""

from __future__ import annotations

import json

import pytest
from pydantic import JsonValue

from vintner_local.realtime.elixir import inspect
from vintner_local.realtime.filters import Filter, parse_filters
from vintner_local.realtime.join import parse_join
from vintner_local.realtime.limits import REAL_WAITS, waits_of
from vintner_local.realtime.outbox import Outbox
from vintner_local.realtime.phash2 import phash2

from .replay import FRAMES


def recorded_items() -> dict[str, int]:
    found = {}
    for path in FRAMES.glob("*.jsonl"):
        for line in path.open(encoding="utf-8"):
            frame = json.loads(line).get("frame")
            payload = frame[4] if isinstance(frame, list) else (frame or {}).get("payload", {})
            response = payload.get("response", {}) if isinstance(payload, dict) else {}
            for item in response.get("postgres_changes", []):
                number = item.pop("id")
                found[json.dumps(item)] = number
    return found


def test_ids_are_the_recorded_ones() -> None:
    items = recorded_items()
    assert len(items) > 30
    assert {item: phash2(json.loads(item)) for item in items} == items


@pytest.mark.parametrize(
    "value", [{}, [], "", "x" * 100, [1, 2, 3, 4, 5, "a"], -5, 2.5, 10**400, {"a": [None, True]}]
)
def test_every_json_value_has_an_id(value: JsonValue) -> None:
    assert 0 <= phash2(value) < 2**27


@pytest.mark.parametrize(
    ("text", "filters"),
    [
        ("a=eq.1", [Filter("a", "eq", "1", False)]),
        ("a=not.in.(1,2)", [Filter("a", "in", "{1,2}", True)]),
        ("a=eq.x=y", [Filter("a", "eq", "x=y", False)]),
        ("a=eq.1.5,b=is.null", [Filter("a", "eq", "1.5", False), Filter("b", "is", "null", False)]),
        ('a=eq."x,y"', [Filter("a", "eq", "x,y", False)]),
        ('a=in.("x,y",z)', [Filter("a", "in", '{"x,y",z}', False)]),
        ("", []),
    ],
)
def test_filters_are_read(text: str, filters: list[Filter]) -> None:
    assert parse_filters(text) == tuple(filters)


def test_values_are_shown_as_elixir_shows_them() -> None:
    value: JsonValue = {"b": [1, None, True], "a": 'quote " and é', "c": {}}
    assert inspect(value) == '%{"a" => "quote \\" and é", "b" => [1, nil, true], "c" => %{}}'


def test_malformed_parts_of_a_join_are_defaulted() -> None:
    config = {"broadcast": {"self": "true"}, "presence": 5, "private": "false"}
    request = parse_join("t", {"config": config, "access_token": "sb_secret_x"})
    assert request.config.broadcast.self
    assert request.config.presence.enabled
    assert not request.config.private
    assert request.access_token is None


def test_a_join_of_before_2022_names_its_subscription_in_the_topic() -> None:
    request = parse_join("public:jobs:id=eq.1", {"user_token": "old", "access_token": "new"})
    item = {"event": "*", "schema": "public", "table": "jobs", "filter": "id=eq.1"}
    assert request.config.postgres_changes == [item]
    assert request.access_token == "old"


async def test_an_outbox_overflows_by_frames_and_by_bytes() -> None:
    by_frames, by_bytes = Outbox(2, 100), Outbox(100, 10)
    for _ in range(2):
        by_frames.put("x")
        by_bytes.put("12345")
    assert not by_frames.overflowed.is_set()
    assert not by_bytes.overflowed.is_set()
    assert await by_bytes.get() == "12345"
    by_bytes.put("12345")
    assert not by_bytes.overflowed.is_set()
    by_frames.put("x")
    by_bytes.put("x")
    assert by_frames.overflowed.is_set()
    assert by_bytes.overflowed.is_set()


def test_delays_are_the_real_ones_only_if_asked() -> None:
    assert waits_of("real") is REAL_WAITS
    assert waits_of("0").join_error == 0
