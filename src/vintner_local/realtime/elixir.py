"""Elixir's `inspect/1` for JSON values: error texts of the protocol show parameters that way."""

from __future__ import annotations

import json

from pydantic import JsonValue


def inspect(value: JsonValue) -> str:
    """The value as Elixir would print it."""
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return f"[{', '.join(map(inspect, value))}]"
    if isinstance(value, dict):
        pairs = (f"{inspect(key)} => {inspect(value[key])}" for key in sorted(value))
        return f"%{{{', '.join(pairs)}}}"
    return str(value)
