"""`erlang:phash2/1` for JSON values.

The real server names each subscription item by this hash, so the same item has the same id on every
connection and server. Verified against recorded ids for strings, null, small integers, lists and
objects.
"""

from __future__ import annotations

import struct

from pydantic import JsonValue

_MASK = 0xFFFFFFFF
_GOLDEN = 0x9E3779B9
_RANGE_MASK = (1 << 27) - 1
_EMPTY_LIST_ALONE = 3468870702
_EMPTY_LIST_IN_TERM = 2


def phash2(value: JsonValue) -> int:
    """The hash of a JSON value as Erlang decodes it.

    Args:
        value: null, booleans, numbers, strings, lists and objects. Numbers that are no 28 bit
            integers hash by their text, which is stable but not Erlang's way.

    Returns:
        A number from 0 to 2^27 - 1.
    """
    return _hash(value, 0) & _RANGE_MASK


def _hash(value: JsonValue, seed: int) -> int:
    if isinstance(value, str):
        return _binary(value.encode(), seed)
    if value is None or isinstance(value, bool):
        return _atom({None: "nil", True: "true", False: "false"}[value], seed)
    if isinstance(value, int) and -(1 << 27) <= value < 1 << 27:
        if value < 0:
            seed = _word(-value, seed, 1)
        return _word(value, seed, 1)
    if isinstance(value, int | float):
        return _binary(str(value).encode(), seed)
    if isinstance(value, list):
        return _list(value, seed)
    return _map(value, seed)


def _const(factor: int) -> int:
    return (factor * _GOLDEN) & _MASK


def _mix(a: int, b: int, c: int) -> tuple[int, int, int]:
    """Bob Jenkins' mixing step; the third word is the running hash."""
    a, b, c = a & _MASK, b & _MASK, c & _MASK
    for right, left, last in ((13, 8, 13), (12, 16, 5), (3, 10, 15)):
        a = ((a - b - c) & _MASK) ^ (c >> right)
        b = (((b - c - a) & _MASK) ^ (a << left)) & _MASK
        c = ((c - a - b) & _MASK) ^ (b >> last)
    return a, b, c


def _word(word: int, seed: int, factor: int) -> int:
    return _mix(_const(factor) + word, _const(factor), seed)[2]


def _binary(data: bytes, seed: int) -> int:
    start = (_const(13) + seed) & _MASK
    if not data:
        return start
    a, b, c = _GOLDEN, _GOLDEN, start
    whole = len(data) - len(data) % 12
    for offset in range(0, whole, 12):
        words = struct.unpack_from("<III", data, offset)
        a, b, c = _mix(a + words[0], b + words[1], c + words[2])
    rest = data[whole:]
    # The low byte of the third word is left for the length.
    a += int.from_bytes(rest[0:4], "little")
    b += int.from_bytes(rest[4:8], "little")
    c += len(data) + (int.from_bytes(rest[8:11], "little") << 8)
    return _mix(a, b, c)[2]


def _atom(name: str, seed: int) -> int:
    value = 0
    for byte in name.encode():
        value = ((value << 4) + byte) & _MASK
        overflow = value & 0xF0000000
        if overflow:
            value ^= overflow >> 24
            value ^= overflow
    return _word(value, seed, 3) if seed else value


def _list(values: list[JsonValue], seed: int) -> int:
    index = 0
    while index < len(values):
        packed, count = 0, 0
        # A run of bytes is hashed four at a time, as Erlang does for strings.
        while index < len(values):
            item = values[index]
            if isinstance(item, bool) or not isinstance(item, int) or not 0 <= item <= 255:
                break
            packed = ((packed << 8) + item) & _MASK
            count += 1
            index += 1
            if count == 4:
                seed, packed, count = _word(packed, seed, 4), 0, 0
        if count:
            seed = _word(packed, seed, 4)
        if index < len(values):
            seed = _hash(values[index], seed)
            index += 1
    return _word(_EMPTY_LIST_IN_TERM, seed, 2) if seed else _EMPTY_LIST_ALONE


def _map(values: dict[str, JsonValue], seed: int) -> int:
    size_hash = _word(len(values), seed, 16)
    if not values:
        return size_hash
    pairs = 0
    for key, item in values.items():
        pairs ^= _hash(item, _hash(key, 0))
    return _word(pairs, size_hash, 19)
