"""Phoenix frames in both serializer versions, `vsn=1.0.0` (objects) and `vsn=2.0.0` (arrays).

Payloads travel as JSON text, so that what PostgreSQL rendered reaches the client byte for byte.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import isinf
from typing import Any, NoReturn, Protocol

Frame = str | bytes
"""A text frame or a binary one."""

_USER_BROADCAST_PUSH = 3
_USER_BROADCAST = 4
_JSON_ENCODING = 1


@dataclass(frozen=True, slots=True)
class UserBroadcast:
    """A broadcast as the binary kinds carry it.

    Attributes:
        event: the user's event name.
        payload: JSON text, or raw bytes if not `is_json`.
        is_json: what the payload is.
        meta: JSON text of an object, or empty.
    """

    event: str
    payload: bytes
    is_json: bool = True
    meta: str = ""

    def as_json(self) -> str | None:
        """The payload of a `broadcast` event, or None where raw bytes have no JSON form."""
        if not self.is_json:
            return None
        meta = f'"meta":{self.meta},' if self.meta else ""
        payload = self.payload.decode()
        return f'{{"event":{dumps(self.event)},{meta}"payload":{payload},"type":"broadcast"}}'


@dataclass(frozen=True, slots=True)
class ClientMessage:
    """What a client sent.

    Attributes:
        join_ref: the ref of the join it belongs to, if it says so.
        ref: echoed in the reply.
        topic: the Phoenix topic.
        event: the event.
        payload: decoded JSON, or a broadcast in binary form.
    """

    join_ref: Any
    ref: Any
    topic: str
    event: str
    payload: Any


def dumps(value: Any) -> str:
    """Compact JSON with sorted keys, as the real server writes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def dumps_in_order(value: Any) -> str:
    """Compact JSON with the keys in the order they have."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def loads(text: str) -> Any:
    """Parses JSON that may be sent on to others.

    Raises:
        ValueError: the text is no JSON, or holds what cannot be written as JSON again: NaN, numbers
            beyond a double, half a surrogate pair, lists nested a thousand deep.
    """
    try:
        value = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
        if "\\u" in text:
            dumps(value).encode()
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _finite(text: str) -> float:
    number = float(text)
    if isinf(number):
        raise ValueError(f"{text} is beyond a double")
    return number


class Serializer(Protocol):
    """One wire format; every method but `decode` makes a frame."""

    def decode(self, frame: Frame) -> ClientMessage | None:
        """What a client's frame says, or None for one that is to be dropped silently."""

    def reply(self, message: ClientMessage, status: str, response: str) -> Frame:
        """The `phx_reply` to a message."""

    def push(self, topic: str, join_ref: Any, event: str, payload: str) -> Frame:
        """An event for one channel."""

    def closed(self, topic: str, join_ref: Any) -> Frame:
        """The `phx_close` of a channel."""

    def fanned_out(self, topic: str, event: str, payload: str) -> Frame:
        """An event that every channel of a topic gets alike."""

    def broadcast(self, topic: str, broadcast: UserBroadcast) -> Frame | None:
        """A user's broadcast, or None where the format cannot carry it."""


class SerializerV1:
    """`vsn=1.0.0`: JSON objects."""

    def decode(self, frame: Frame) -> ClientMessage | None:
        """See `Serializer`."""
        if isinstance(frame, bytes):
            return None
        try:
            data = loads(frame)
        except ValueError:
            return None
        if not isinstance(data, Mapping) or "ref" not in data:
            return None
        topic, event = data.get("topic"), data.get("event")
        if not isinstance(topic, str) or not isinstance(event, str):
            return None
        return ClientMessage(data.get("join_ref"), data["ref"], topic, event, data.get("payload"))

    def reply(self, message: ClientMessage, status: str, response: str) -> Frame:
        """See `Serializer`."""
        payload = f'{{"response":{response},"status":{dumps(status)}}}'
        return _object("phx_reply", payload, message.ref, message.topic)

    def push(self, topic: str, join_ref: Any, event: str, payload: str) -> Frame:
        """See `Serializer`."""
        return _object(event, payload, None, topic)

    def closed(self, topic: str, join_ref: Any) -> Frame:
        """See `Serializer`."""
        return _object("phx_close", "{}", join_ref, topic)

    def fanned_out(self, topic: str, event: str, payload: str) -> Frame:
        """See `Serializer`."""
        return _object(event, payload, None, topic)

    def broadcast(self, topic: str, broadcast: UserBroadcast) -> Frame | None:
        """See `Serializer`."""
        payload = broadcast.as_json()
        return None if payload is None else _object("broadcast", payload, None, topic)


class SerializerV2:
    """`vsn=2.0.0`: JSON arrays, and binary frames for users' broadcasts."""

    def decode(self, frame: Frame) -> ClientMessage | None:
        """See `Serializer`."""
        if isinstance(frame, bytes):
            return _decode_user_broadcast(frame)
        try:
            data = loads(frame)
        except ValueError:
            return None
        if not isinstance(data, list) or len(data) != 5:
            return None
        join_ref, ref, topic, event, payload = data
        if not isinstance(topic, str) or not isinstance(event, str):
            return None
        return ClientMessage(join_ref, ref, topic, event, payload)

    def reply(self, message: ClientMessage, status: str, response: str) -> Frame:
        """See `Serializer`."""
        payload = f'{{"response":{response},"status":{dumps(status)}}}'
        return _array(message.join_ref, message.ref, message.topic, "phx_reply", payload)

    def push(self, topic: str, join_ref: Any, event: str, payload: str) -> Frame:
        """See `Serializer`."""
        return _array(join_ref, None, topic, event, payload)

    def closed(self, topic: str, join_ref: Any) -> Frame:
        """See `Serializer`."""
        return _array(join_ref, join_ref, topic, "phx_close", "{}")

    def fanned_out(self, topic: str, event: str, payload: str) -> Frame:
        """See `Serializer`."""
        return _array(None, None, topic, event, payload)

    def broadcast(self, topic: str, broadcast: UserBroadcast) -> Frame | None:
        """See `Serializer`."""
        names = [part.encode() for part in (topic, broadcast.event, broadcast.meta)]
        if max(map(len, names)) > 255:
            payload = broadcast.as_json()
            return None if payload is None else self.fanned_out(topic, "broadcast", payload)
        head = bytes([_USER_BROADCAST, *map(len, names), int(broadcast.is_json)])
        return head + b"".join(names) + broadcast.payload


SERIALIZERS: Mapping[str, Serializer] = {"1.0.0": SerializerV1(), "2.0.0": SerializerV2()}
"""By the value of `vsn`."""


def _object(event: str, payload: str, ref: Any, topic: str) -> str:
    return (
        f'{{"event":{dumps(event)},"payload":{payload},"ref":{dumps(ref)},"topic":{dumps(topic)}}}'
    )


def _array(join_ref: Any, ref: Any, topic: str, event: str, payload: str) -> str:
    return f"[{dumps(join_ref)},{dumps(ref)},{dumps(topic)},{dumps(event)},{payload}]"


def _decode_user_broadcast(frame: bytes) -> ClientMessage | None:
    """Kind 3: five lengths and the encoding, then those five texts, then the payload."""
    if len(frame) < 7 or frame[0] != _USER_BROADCAST_PUSH:
        return None
    parts: list[str] = []
    offset = 7
    try:
        for length in frame[1:6]:
            parts.append(frame[offset : offset + length].decode())
            offset += length
        is_json = frame[6] == _JSON_ENCODING
        payload = frame[offset:]
        if is_json:
            loads(payload.decode())
    except ValueError:
        return None
    join_ref, ref, topic, event, _ = parts
    broadcast = UserBroadcast(event, payload, is_json)
    return ClientMessage(join_ref or None, ref or None, topic, "broadcast", broadcast)
