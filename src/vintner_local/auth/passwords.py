"""Passwords: their rules, hashing and checking, away from the event loop."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import bcrypt

from vintner_local.auth.errors import AuthError, not_here

COST = 10
SHORTEST = 6
LONGEST_BYTES = 72
WEAK = f"Password should be at least {SHORTEST} characters."
NOBODYS_HASH = f"$2b${COST}$" + 53 * "."
BCRYPT_HASH = re.compile(r"\$2[abxy]\$\d\d\$[./A-Za-z0-9]{53}")


def check_rules(password: str) -> None:
    """Refuses a password that is too long for bcrypt or too weak.

    Raises:
        AuthError: 400 for more than 72 bytes, 422 `weak_password` for fewer than six.
    """
    if len(password.encode()) > LONGEST_BYTES:
        message = f"Password cannot be longer than {LONGEST_BYTES} characters"
        raise AuthError(400, "validation_failed", message)
    if _is_weak(password):
        raise AuthError(422, "weak_password", WEAK, {"weak_password": {"reasons": ["length"]}})


def weakness(password: str) -> dict[str, Any]:
    """What the answer to a sign-in adds for a password that would be refused today."""
    if not _is_weak(password):
        return {}
    return {"weak_password": {"message": WEAK, "reasons": ["length"]}}


async def hash_password(password: str) -> str:
    """A bcrypt hash, made in a thread."""
    made = await asyncio.to_thread(bcrypt.hashpw, password.encode(), bcrypt.gensalt(COST))
    return made.decode()


async def matches(password: str, known: str | None) -> bool:
    """Whether a password is the one that was hashed.

    Args:
        password: what was given; as in bcrypt itself, bytes after the 72nd do not count.
        known: the stored hash. None or empty, for no user or no password, costs the same time.

    Raises:
        AuthError: 501 for a hash that is not bcrypt's.
    """
    if known and BCRYPT_HASH.fullmatch(known) is None:
        raise not_here("password hashes other than bcrypt")
    given = password.encode()[:LONGEST_BYTES]
    same = await asyncio.to_thread(bcrypt.checkpw, given, (known or NOBODYS_HASH).encode())
    return same and bool(known)


def _is_weak(password: str) -> bool:
    return len(password.encode()) < SHORTEST
