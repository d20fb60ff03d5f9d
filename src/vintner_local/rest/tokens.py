"""Who a request speaks for: a JWT's role and claims, with PostgREST's errors for bad ones."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jwt

from vintner_local.rest.errors import RestError, failure

ANONYMOUS = "anon"
LEEWAY_SECONDS = 30
KEPT_TOKENS = 512
_JWS = jwt.PyJWS(algorithms=["HS256"])
_BOUNDS = (
    ("exp", -1, "JWT expired"),
    ("nbf", 1, "JWT not yet valid"),
    ("iat", 1, "JWT issued at future"),
)


@dataclass(frozen=True, slots=True)
class Caller:
    """The role a request runs as, and its claims as JSON text.

    Attributes:
        role: database role.
        claims: value of the setting `request.jwt.claims`.
        times: the claims that bound when the token holds, as they are.
    """

    role: str
    claims: str
    times: dict[str, Any]


class Tokens:
    """Tells callers by their tokens.

    Signatures of tokens seen lately are not checked again; their times are.

    Args:
        secret: the HS256 key that tokens must be signed with.
    """

    def __init__(self, secret: str) -> None:
        self._verified = lru_cache(KEPT_TOKENS)(lambda token: _caller(_claims(token, secret)))
        self._anonymous = _caller({})

    def caller(self, token: str | None) -> Caller:
        """Checks a token and reads role and claims from it.

        Args:
            token: a JWT, or None for an anonymous request.

        Raises:
            RestError: 401 for a token that is malformed, forged, expired or not yet valid.
        """
        if token is None:
            return self._anonymous
        caller, now = self._verified(token), int(time.time())
        for name, direction, message in _BOUNDS:
            value = caller.times.get(name, now)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise _rejected("PGRST303", f"The JWT '{name}' claim must be a number")
            if (value - now) * direction > LEEWAY_SECONDS:
                raise _rejected("PGRST303", message)
        return caller


def _claims(token: str, secret: str) -> dict[str, Any]:
    parts = token.count(".") + 1
    if not token:
        raise _rejected("PGRST301", "Empty JWT is sent in Authorization header")
    if parts != 3:
        raise _rejected("PGRST301", f"Expected 3 parts in JWT; got {parts}")
    try:
        claims = json.loads(_JWS.decode(token, secret, algorithms=["HS256"]))
    except jwt.InvalidSignatureError:
        details = "None of the keys was able to decode the JWT"
        raise _rejected("PGRST301", "No suitable key or wrong key type", details) from None
    except jwt.InvalidAlgorithmError:
        raise _rejected("PGRST301", "Wrong or unsupported encoding algorithm") from None
    except jwt.InvalidTokenError:
        raise _rejected("PGRST301", "JWT cryptographic operation failed") from None
    except ValueError:
        claims = None
    if not isinstance(claims, dict):
        raise _rejected("PGRST303", "Parsing claims failed")
    return claims


def _caller(claims: dict[str, Any]) -> Caller:
    times = {name: claims[name] for name, *_ in _BOUNDS if claims.get(name) is not None}
    role = claims.get("role", ANONYMOUS)
    name = role if isinstance(role, str) else json.dumps(role)
    return Caller(name, json.dumps({**claims, "role": name}, separators=(",", ":")), times)


def _rejected(code: str, message: str, details: str | None = None) -> RestError:
    error = failure(code, message, details=details)
    challenge = f'Bearer error="invalid_token", error_description="{message}"'
    error.headers["WWW-Authenticate"] = challenge
    return error
