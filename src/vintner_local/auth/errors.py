"""Errors in the two shapes that Auth knows, chosen by the API version a client asks for."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from typing import Any

import psycopg
from aiohttp import web
from pydantic import ValidationError

VERSION_HEADER = "X-Supabase-Api-Version"
VERSION_WITH_CODES = "2024-01-01"
UNEXPECTED = "Unexpected failure, please check server logs for more information"
EMAIL_TAKEN = "A user with this email address has already been registered"
TOLD_POSTGRES_ERRORS = frozenset(
    {"P0001", "23000", "23001", "23502", "23503", "23505", "23514", "23P01"}
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_log = logging.getLogger(__name__)


class AuthError(Exception):
    """An answer that refuses a request.

    Attributes:
        status: HTTP status.
        code: Auth's machine code.
        message: for people.
        details: further members of the answer.
    """

    def __init__(
        self, status: int, code: str, message: str, details: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = dict(details or {})

    def response(self, request: web.Request) -> web.Response:
        """The answer, in the shape of the API version that the request names."""
        headers = {"X-Sb-Error-Code": self.code}
        if _asks_for_codes(request):
            headers[VERSION_HEADER] = VERSION_WITH_CODES
            body = {"code": self.code, "message": self.message, **self.details}
            return web.json_response(body, status=self.status, headers=headers)
        if isinstance(self.__cause__, psycopg.Error):
            told = _postgres_response(self.__cause__)
            if told is not None:
                return told
        body = {"code": self.status, "error_code": self.code, "msg": self.message, **self.details}
        return web.json_response(body, status=self.status, headers=headers)


class OAuthError(AuthError):
    """An error that keeps the shape of OAuth 2 (RFC 6749, section 5.2) in every version."""

    def response(self, request: web.Request) -> web.Response:
        """The answer with `error` and `error_description`."""
        body = {"error": self.code, "error_description": self.message}
        return web.json_response(body, status=self.status)


def not_here(feature: str) -> AuthError:
    """The refusal of what only the real server does."""
    return AuthError(
        501,
        "not_implemented",
        f"The local stack does not cover {feature}; use `supabase start` or a hosted project.",
    )


@contextmanager
def failing_as(message: str) -> Iterator[None]:
    """Gives what goes wrong in the database the message that Auth has for this step.

    A row that fails validation is one that the real server cannot read either.

    Raises:
        AuthError: 500 `unexpected_failure`, caused by the database's error.
    """
    try:
        yield
    except (psycopg.Error, ValidationError) as error:
        _log.warning("%s: %s", message, _reason(error))
        raise AuthError(500, "unexpected_failure", message) from error


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turns exceptions into answers; what nobody foresaw becomes a 500 that says nothing."""
    try:
        with failing_as(UNEXPECTED):
            return await handler(request)
    except AuthError as error:
        return error.response(request)
    except web.HTTPException:
        raise
    except Exception:
        _log.exception("%s %s failed", request.method, request.rel_url.raw_path)
        return AuthError(500, "unexpected_failure", UNEXPECTED).response(request)


def _reason(error: psycopg.Error | ValidationError) -> str:
    """Without the details, which may hold the row and so the password's hash."""
    told = error.diag.message_primary if isinstance(error, psycopg.Error) else None
    return told or str(error)


def _asks_for_codes(request: web.Request) -> bool:
    asked = request.headers.get(VERSION_HEADER, "")
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", asked) is None:
        return False
    try:
        return date.fromisoformat(asked) >= date.fromisoformat(VERSION_WITH_CODES)
    except ValueError:
        return False


def _postgres_response(error: psycopg.Error) -> web.Response | None:
    """The older shape tells errors that a trigger raises, with the status of `PTxyz`."""
    state = error.sqlstate or ""
    custom = re.fullmatch(r"PT([1-9]\d\d)", state)
    if custom is None and state not in TOLD_POSTGRES_ERRORS:
        return None
    body = {"code": state, "message": error.diag.message_primary}
    if error.diag.message_hint:
        body["hint"] = error.diag.message_hint
    # A broken constraint's detail repeats the row, and so the password's hash.
    if error.diag.message_detail and not state.startswith("23"):
        body["detail"] = error.diag.message_detail
    return web.json_response(body, status=int(custom[1]) if custom else 500)
