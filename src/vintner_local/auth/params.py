"""What requests carry: bodies, addresses and durations, read as Auth's server reads them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

from vintner_local.auth.errors import AuthError

LONGEST_EMAIL = 255
LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
EMAIL = re.compile(rf"[a-zA-Z0-9.!#$%&'*+/=?^_`{{|}}~-]+@{LABEL}(?:\.{LABEL})*")
DURATION = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h)")
UNIT_SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
MICRO = str.maketrans("µμ", "uu")
LONGEST_BAN = timedelta(microseconds=(2**63 - 1) // 1000)


class Params(BaseModel):
    """A body whose members have exactly these types; null is the same as absent."""

    model_config = ConfigDict(strict=True)


class Credentials(Params):
    """Body of a sign-up or a password grant."""

    email: str | None = None
    phone: str | None = None
    password: str | None = None
    data: dict[str, Any] | None = None


class RefreshParams(Params):
    """Body of a refresh grant."""

    refresh_token: str | None = None


class UserParams(Params):
    """What users may change of themselves."""

    email: str | None = None
    phone: str | None = None
    password: str | None = None
    data: dict[str, Any] | None = None
    app_metadata: dict[str, Any] | None = None


class AdminUserParams(Params):
    """What an administrator may set of a user."""

    id: str | None = None
    aud: str | None = None
    role: str | None = None
    email: str | None = None
    phone: str | None = None
    password: str | None = None
    password_hash: str | None = None
    email_confirm: bool | None = None
    phone_confirm: bool | None = None
    user_metadata: dict[str, Any] | None = None
    app_metadata: dict[str, Any] | None = None
    ban_duration: str | None = None


class DeletionParams(Params):
    """How a user is to be deleted."""

    should_soft_delete: bool | None = None


AnyParams = TypeVar("AnyParams", bound=Params)


async def read(request: web.Request, model: type[AnyParams]) -> AnyParams:
    """The body of a request.

    Raises:
        AuthError: 400 `bad_json`.
    """
    try:
        return model.model_validate_json(await request.read())
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        reason = f"{where}: {first['msg']}" if where else first["msg"]
        message = f"Could not parse request body as JSON: {reason}"
        raise AuthError(400, "bad_json", message) from None


def email_address(text: str) -> str:
    """An address in lower case.

    Raises:
        AuthError: 400 `validation_failed` for what is no address.
    """
    if len(text) > LONGEST_EMAIL:
        raise AuthError(400, "validation_failed", "An email address is too long")
    if EMAIL.fullmatch(text) is None:
        message = "Unable to validate email address: invalid format"
        raise AuthError(400, "validation_failed", message)
    return text.lower()


def ban_duration(text: str) -> timedelta:
    """How long a ban lasts: `none`, or a duration as Go writes it (`24h`, `1h30m`).

    Raises:
        AuthError: 400 `validation_failed`.
    """
    if text in ("none", "0"):
        return timedelta()
    parts = DURATION.findall(text)
    if parts and "".join(parts) == text:
        seconds = 0.0
        for part in parts:
            unit = part.lstrip("0123456789.")
            seconds += float(part.removesuffix(unit)) * UNIT_SECONDS[unit.translate(MICRO)]
        if seconds <= LONGEST_BAN.total_seconds():
            return timedelta(seconds=seconds)
    message = f'invalid format for ban duration: time: invalid duration "{text}"'
    raise AuthError(400, "validation_failed", message)
