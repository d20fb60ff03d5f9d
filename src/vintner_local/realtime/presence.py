"""Presence: who is in a room, with the state each client tracks of itself."""

from __future__ import annotations

import secrets
from typing import Any

from vintner_local.realtime.frames import dumps

Meta = dict[str, Any]


class PresenceTopic:
    """The presences of one room; a member tracks one state under one key."""

    def __init__(self) -> None:
        self._tracked: dict[object, tuple[str, Meta]] = {}

    def state(self) -> str:
        """The payload of `presence_state`, JSON text."""
        state: dict[str, dict[str, list[Meta]]] = {}
        for key, meta in self._tracked.values():
            state.setdefault(key, {"metas": []})["metas"].append(meta)
        return dumps(state)

    def track(self, member: object, key: str, payload: Any) -> str:
        """Tracks a member's state, in place of what it tracked before.

        Args:
            member: whose state it is.
            key: the key others see it under.
            payload: the state; anything but an object counts as an empty one.

        Returns:
            The payload of `presence_diff`, JSON text.
        """
        meta = dict(payload) if isinstance(payload, dict) else {}
        meta["phx_ref"] = secrets.token_urlsafe(12)
        before = self._tracked.get(member)
        leaves: dict[str, dict[str, list[Meta]]] = {}
        if before is not None:
            meta["phx_ref_prev"] = before[1]["phx_ref"]
            leaves = {before[0]: {"metas": [before[1]]}}
        self._tracked[member] = (key, meta)
        return _diff({key: {"metas": [meta]}}, leaves)

    def untrack(self, member: object) -> str | None:
        """Forgets a member's state.

        Returns:
            The payload of `presence_diff`, JSON text, or None if nothing was tracked.
        """
        before = self._tracked.pop(member, None)
        return None if before is None else _diff({}, {before[0]: {"metas": [before[1]]}})


def _diff(joins: dict[str, Any], leaves: dict[str, Any]) -> str:
    return dumps({"joins": joins, "leaves": leaves})
