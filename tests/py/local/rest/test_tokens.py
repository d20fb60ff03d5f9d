"""Which tokens are believed, and with how much patience."""

from __future__ import annotations

import json
import time
from typing import Any

import jwt
import pytest

from vintner_local.keys import Keys
from vintner_local.rest.errors import RestError
from vintner_local.rest.tokens import Caller, Tokens

KEYS = Keys.generate()


def caller_of(token: str | None) -> Caller:
    return Tokens(KEYS.jwt_secret).caller(token)


def rejection(token: str) -> RestError:
    with pytest.raises(RestError) as raised:
        caller_of(token)
    assert raised.value.status == 401
    assert raised.value.headers["WWW-Authenticate"].startswith('Bearer error="invalid_token"')
    return raised.value


@pytest.mark.parametrize(
    ("claim", "offset", "message"),
    [
        ("exp", -20, None),
        ("exp", -40, "JWT expired"),
        ("nbf", 20, None),
        ("nbf", 40, "JWT not yet valid"),
        ("iat", 20, None),
        ("iat", 40, "JWT issued at future"),
    ],
)
def test_thirty_seconds_of_leeway(claim: str, offset: int, message: str | None) -> None:
    token = KEYS.sign({"role": "authenticated", claim: int(time.time()) + offset})
    if message is None:
        assert caller_of(token).role == "authenticated"
    else:
        assert (rejection(token).code, rejection(token).message) == ("PGRST303", message)


@pytest.mark.parametrize("algorithm", ["none", "HS384", "HS512"])
def test_other_algorithms_are_not_believed(algorithm: str) -> None:
    key = "" if algorithm == "none" else KEYS.jwt_secret * 2
    assert rejection(jwt.encode({"role": "anon"}, key, algorithm=algorithm)).code == "PGRST301"


@pytest.mark.parametrize("value", ["soon", True, [1]])
def test_times_are_numbers(value: Any) -> None:
    token = jwt.api_jws.encode(json.dumps({"exp": value}).encode(), KEYS.jwt_secret)
    assert rejection(token).message == "The JWT 'exp' claim must be a number"


def test_claims_are_an_object() -> None:
    token = jwt.api_jws.encode(b"[1]", KEYS.jwt_secret)
    assert rejection(token).message == "Parsing claims failed"


def test_claims_are_handed_on_with_the_role() -> None:
    assert caller_of(None).claims == '{"role":"anon"}'
    caller = caller_of(KEYS.sign({"sub": "x", "n": 1.5}))
    assert caller.role == "anon"
    assert json.loads(caller.claims) == {"sub": "x", "n": 1.5, "role": "anon"}
