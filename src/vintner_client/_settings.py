"""Where the project is: what callers and the environment say, checked."""

from __future__ import annotations

import os

import httpx

from vintner_client.errors import InvalidInput


def checked_url(url: str) -> str:
    """The URL of a project, without a slash at its end.

    Raises:
        InvalidInput: it is not one of http or https.
    """
    try:
        parts = httpx.URL(url)
    except httpx.InvalidURL:
        parts = httpx.URL()
    if parts.scheme not in ("http", "https") or not parts.host:
        raise InvalidInput(f'"{url}" is not the URL of a project.', hint="Set SUPABASE_URL.")
    return url.rstrip("/")


def checked_key(key: str) -> str:
    """An API key.

    Raises:
        InvalidInput: it is empty, or cannot be one.
    """
    if not key:
        raise InvalidInput("The API key is empty.", hint="Set SUPABASE_PUBLISHABLE_KEY.")
    if not (key.isascii() and key.isprintable()):
        raise InvalidInput(
            "The API key holds a character that no key has.",
            hint="Check SUPABASE_PUBLISHABLE_KEY against the project's keys.",
        )
    return key


def setting(name: str) -> str:
    """A variable of the environment.

    Raises:
        InvalidInput: it is not set.
    """
    value = os.environ.get(name, "").strip()
    if not value:
        raise InvalidInput(
            f"{name} is not set.",
            hint="Set it to the project's, as `supabase status` or the dashboard shows it.",
        )
    return value
