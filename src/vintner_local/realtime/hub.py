"""Which channels listen to what, on this server."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Protocol

from vintner_local.realtime.changes import Listener
from vintner_local.realtime.frames import UserBroadcast
from vintner_local.realtime.presence import PresenceTopic

Room = tuple[str, bool]
"""A topic without `realtime:`, and whether it is the private one of that name."""


class Member(Protocol):
    """A joined channel, as others of its topic see it."""

    def hear_broadcast(self, broadcast: UserBroadcast) -> None:
        """Sends a broadcast in the client's format."""

    def hear(self, event: str, payload: str) -> None:
        """Sends an event (JSON text) that all members get alike."""


class ChangeMember(Listener, Protocol):
    """A channel with subscriptions to changes."""

    def hear(self, event: str, payload: str) -> None:
        """Sends an event."""

    async def subscribe_again(self) -> None:
        """Checks its subscriptions anew, because the publication changed."""


class Hub:
    """All rooms and all listeners of one server; nothing here outlives the process."""

    def __init__(self) -> None:
        self._rooms: defaultdict[Room, list[Member]] = defaultdict(list)
        self._presence: dict[Room, PresenceTopic] = {}
        self._listeners: list[ChangeMember] = []

    def enter(self, room: Room, member: Member) -> None:
        """A channel joined."""
        self._rooms[room].append(member)

    def leave(self, room: Room, member: Member) -> None:
        """A channel is gone; the others hear which presences went with it."""
        members = self._rooms.get(room)
        if members is None or member not in members:
            return
        members.remove(member)
        presence = self._presence.get(room)
        if presence is not None:
            self.tell(room, "presence_diff", presence.untrack(member))
        if not members:
            del self._rooms[room]
            self._presence.pop(room, None)

    def presence(self, room: Room) -> PresenceTopic:
        """Who is present in a room."""
        return self._presence.setdefault(room, PresenceTopic())

    def tell(self, room: Room, event: str, payload: str | None, skip: Member | None = None) -> None:
        """Sends an event to every member but the one to skip; None is nothing to say."""
        if payload is not None:
            for member in tuple(self._rooms.get(room, ())):
                if member is not skip:
                    member.hear(event, payload)

    def broadcast(self, room: Room, broadcast: UserBroadcast, skip: Member | None = None) -> None:
        """Sends a broadcast to every member but the one to skip."""
        for member in tuple(self._rooms.get(room, ())):
            if member is not skip:
                member.hear_broadcast(broadcast)

    def listen(self, listener: ChangeMember) -> None:
        """A channel's subscriptions hold from now on."""
        if listener not in self._listeners:
            self._listeners.append(listener)

    def ignore(self, listener: ChangeMember) -> None:
        """A channel's subscriptions hold no more."""
        if listener in self._listeners:
            self._listeners.remove(listener)

    @property
    def listeners(self) -> Sequence[ChangeMember]:
        """Every channel whose subscriptions hold."""
        return tuple(self._listeners)
