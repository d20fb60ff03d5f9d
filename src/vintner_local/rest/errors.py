"""What a request that fails is answered with: PostgREST's codes, statuses and JSON shape.

References: https://docs.postgrest.org/en/v14/references/errors.html
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import psycopg

OWN = {
    "PGRST000": (503, "Database connection error. Retrying the connection."),
    "PGRST001": (503, "Database client error. Retrying the connection."),
    "PGRST002": (503, "Could not query the database for the schema cache. Retrying."),
    "PGRST003": (504, "Timed out acquiring connection from connection pool."),
    "PGRST100": (400, "{0}"),
    "PGRST101": (405, "Cannot use the {0} method on RPC"),
    "PGRST102": (400, "{0}"),
    "PGRST103": (416, "Requested range not satisfiable"),
    "PGRST106": (406, "Invalid schema: {0}"),
    "PGRST107": (406, "None of these media types are available: {0}"),
    "PGRST108": (400, "'{0}' is not an embedded resource in this request"),
    "PGRST112": (500, "response.status guc must be a valid status code"),
    "PGRST116": (406, "Cannot coerce the result to a single JSON object"),
    "PGRST120": (400, "Bad operator on the '{0}' embedded resource"),
    "PGRST122": (400, "Invalid preferences given with handling=strict"),
    "PGRST123": (400, "Use of aggregate functions is not allowed"),
    "PGRST124": (400, "Query result exceeds max-affected preference constraint"),
    "PGRST125": (404, "Invalid path specified in request URL"),
    "PGRST200": (400, "Could not find a relationship between '{0}' and '{1}' in the schema cache"),
    "PGRST202": (404, "Could not find the function {0} in the schema cache"),
    "PGRST204": (400, "Could not find the '{0}' column of '{1}' in the schema cache"),
    "PGRST205": (404, "Could not find the table '{0}' in the schema cache"),
    "PGRST301": (401, "{0}"),
    "PGRST303": (401, "{0}"),
    "21000": (400, "{0} requires a WHERE clause"),
    "22021": (400, 'invalid byte sequence for encoding "UTF8"'),
    "VINTNER501": (501, "{0} is not part of the local REST API"),
}
"""Status and message of each error that does not come from PostgreSQL."""

STATUS_BY_CODE = {"25006": 405, "57P01": 503, "P0001": 400} | {
    **dict.fromkeys(("23503", "23505"), 409),
    **dict.fromkeys(("42883", "42P01"), 404),
    **dict.fromkeys(("53400", "42P17"), 500),
}
STATUS_BY_CLASS = {
    **dict.fromkeys(("08", "53"), 503),
    **dict.fromkeys(("0L", "0P", "28"), 403),
    **dict.fromkeys(("09", "25", "2D", "38", "39", "3B", "40", "54", "55", "57", "58"), 500),
    **dict.fromkeys(("F0", "HV", "P0", "XX"), 500),
}


@dataclass(eq=False)
class RestError(Exception):
    """An answer that ends a request, in PostgREST's shape.

    Attributes:
        status: HTTP status.
        code: PostgREST's own code (`PGRSTxxx`) or an SQLSTATE.
        message: what happened.
        details: more about it, or None.
        hint: what to try, or None.
        headers: extra response headers.
    """

    status: int
    code: str
    message: str
    details: Any = None
    hint: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def body(self) -> bytes:
        """The answer's JSON."""
        shape = {name: getattr(self, name) for name in ("code", "details", "hint", "message")}
        return json.dumps(shape, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def failure(code: str, *about: object, details: Any = None, hint: str | None = None) -> RestError:
    """An error of the table above.

    Args:
        code: its code.
        about: what its message names.
        details: more about it.
        hint: what to try.
    """
    status, message = OWN[code]
    return RestError(status, code, message.format(*about), details, hint)


def refused(feature: str) -> RestError:
    """The answer to what this stand-in leaves to the real server.

    Args:
        feature: the feature's name, as the subject of a sentence.
    """
    hint = "`supabase start` runs the real PostgREST, which has it."
    return failure("VINTNER501", feature, hint=hint)


def from_postgres(error: psycopg.Error, authenticated: bool) -> RestError:
    """The answer to an error that PostgreSQL raised.

    Args:
        error: what was raised, or that the connection was lost.
        authenticated: whether the caller is someone else than the anonymous role.
    """
    diag = error.diag
    code, message = diag.sqlstate, diag.message_primary or ""
    if code is None:
        return failure("PGRST001")
    if code == "PGRST":
        return refused("An answer raised by SQLSTATE 'PGRST'")
    status = _status(code, message, authenticated)
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    return RestError(status, code, message, diag.message_detail, diag.message_hint, headers)


def _status(code: str, message: str, authenticated: bool) -> int:
    if code.startswith("PT"):
        return int(code[2:]) if code[2:].isdigit() and code[2:] >= "100" else 500
    if code == "42501":
        return 403 if authenticated else 401
    if code == "21000":
        return 400 if message.endswith("requires a WHERE clause") else 500
    if code == "22023" and message.startswith("role") and message.endswith("does not exist"):
        return 401
    return STATUS_BY_CODE.get(code) or STATUS_BY_CLASS.get(code[:2], 400)
