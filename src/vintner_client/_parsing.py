"""Between JSON and this library's types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar
from uuid import UUID

import httpx
from pydantic import BaseModel, ValidationError

from vintner_client.errors import InvalidInput, ServerFailed

Row = TypeVar("Row", bound=BaseModel)


def parse(model: type[Row], data: Any) -> Row:
    """A row as a model.

    Raises:
        ServerFailed: the answer is not such a row.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        fields = ", ".join(sorted({str(e["loc"][0]) for e in error.errors() if e["loc"]}))
        raise ServerFailed(
            f"The server's {model.__name__} is not as expected ({fields or 'not an object'}).",
            hint="Update this client, or apply Vintner's migrations to the project.",
        ) from error


def parse_all(model: type[Row], rows: Any) -> list[Row]:
    """Rows as models; see `parse`."""
    return [parse(model, row) for row in rows]


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
        raise InvalidInput(f'"{value}" is not an id.', code="invalid_input") from error


def json_rows(answer: httpx.Response) -> list[dict[str, Any]]:
    """The rows of an answer.

    Raises:
        ServerFailed: it holds something else.
    """
    try:
        rows = answer.json()
    except ValueError as error:
        raise ServerFailed("The server answered something that is not JSON.") from error
    if not isinstance(rows, list):
        raise ServerFailed("The server answered something that is not rows.")
    return rows


def plain(value: Any) -> Any:
    """A manifest as JSON takes it: ids as texts, however deep they stand."""
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value
