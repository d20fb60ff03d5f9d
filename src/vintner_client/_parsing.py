"""Between JSON and this library's types."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, time
from decimal import Decimal
from functools import cache
from typing import Any, TypeVar
from uuid import UUID

from pydantic import SecretStr, TypeAdapter, ValidationError

from vintner_client.errors import InvalidInput, ServerFailed

Kind = TypeVar("Kind")

OTHER_VERSION = "Update this client, or apply Vintner's migrations to the project."


def parse(kind: type[Kind], data: Any) -> Kind:
    """What JSON was read as, as a model or another type.

    Raises:
        ServerFailed: it is not such a thing.
    """
    try:
        parsed: Kind = _adapter(kind).validate_python(data)  # type: ignore[arg-type]
    except ValidationError as error:
        raise _unexpected(kind, error, 0) from None
    return parsed


def parse_rows(kind: type[Kind], content: bytes) -> list[Kind]:
    """Rows in JSON as models; numbers keep every digit.

    Raises:
        ServerFailed: they are not such rows.
    """
    try:
        parsed: list[Kind] = _adapter(list[kind]).validate_json(content)  # type: ignore[valid-type]
    except ValidationError as error:
        raise _unexpected(kind, error, 1) from None
    return parsed


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _unexpected(kind: type[Any], error: ValidationError, depth: int) -> ServerFailed:
    # the fields alone: pydantic's error quotes what they hold, which may be secret
    fields = {str(each["loc"][depth]) for each in error.errors() if len(each["loc"]) > depth}
    named = ", ".join(sorted(fields)) or "another kind of thing"
    return ServerFailed(
        f"The server's {kind.__name__} is not as expected ({named}).", hint=OTHER_VERSION
    )


def as_uuid(value: UUID | str) -> UUID:
    """An id that a caller gave.

    Raises:
        InvalidInput: it is not a UUID.
    """
    if isinstance(value, UUID):
        return value
    try:
        return UUID(value)
    except ValueError as error:
        raise InvalidInput(f'"{value}" is not an id.') from error


def as_uuids(value: UUID | str | Sequence[UUID | str]) -> UUID | list[UUID]:
    """One id that a caller gave, or several; see `as_uuid`."""
    return as_uuid(value) if isinstance(value, UUID | str) else [as_uuid(each) for each in value]


def from_json(content: bytes) -> Any:
    """What an answer holds.

    Raises:
        ServerFailed: it is not JSON.
    """
    try:
        return json.loads(content)
    except ValueError as error:
        raise ServerFailed(
            "The server answered something that is not JSON.", hint="Check SUPABASE_URL."
        ) from error


def to_json(values: Any) -> bytes:
    """What a caller gave, in JSON: ids and times as texts, amounts as numbers, secrets in clear.

    Raises:
        InvalidInput: it holds something that JSON has no form for.
    """
    try:
        return json.dumps(values, default=_plain, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"That cannot be sent: {error}.") from error


def _plain(value: object) -> Any:
    match value:
        case UUID():
            return str(value)
        case Decimal():
            return float(value)
        case date() | time():
            return value.isoformat()
        case SecretStr():
            return value.get_secret_value()
        case Mapping():
            return dict(value)
        case Iterable():
            return list(value)
    raise TypeError(f"JSON has no form for {type(value).__name__}")
