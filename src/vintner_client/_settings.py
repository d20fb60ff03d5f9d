"""Where the project is: what callers and the environment say, checked."""

from __future__ import annotations

import os

import httpx

from vintner_client.errors import InvalidInput

URL = "SUPABASE_URL"
KEY = "SUPABASE_PUBLISHABLE_KEY"
TENDRIL_TOKEN = "VINTNER_TENDRIL_TOKEN"  # noqa: S105 - the name of a variable, not a token


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
        raise InvalidInput(
            f'"{url}" is not the URL of a project.',
            hint="One such as https://abc.supabase.co is wanted: check SUPABASE_URL.",
        )
    return url.rstrip("/")


def checked_key(key: str) -> str:
    """An API key.

    Raises:
        InvalidInput: it is empty, or cannot be one.
    """
    if not key:
        raise InvalidInput("The API key is empty.", hint="Check SUPABASE_PUBLISHABLE_KEY.")
    if not (key.isascii() and key.isprintable()):
        raise InvalidInput(
            "The API key holds a character that no key has.",
            hint="Check SUPABASE_PUBLISHABLE_KEY against the project's keys.",
        )
    return key


def checked_timeout(seconds: float) -> float:
    """Seconds to wait for an answer.

    Raises:
        InvalidInput: there are none.
    """
    if not seconds > 0:
        raise InvalidInput(f"A timeout of {seconds} seconds leaves no time for an answer.")
    return seconds


def project_from_env() -> tuple[str, str]:
    """The URL and the API key of the project that the environment names.

    Raises:
        InvalidInput: a variable is not set.
    """
    names = (URL, KEY)
    values = [os.environ.get(name, "").strip() for name in names]
    missing = [name for name, value in zip(names, values, strict=True) if not value]
    if missing:
        raise InvalidInput(
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set.",
            hint="Set them to the project's, as `supabase status` or the dashboard shows them, "
            "or give the client `url` and `key`.",
        )
    return values[0], values[1]


def tendril_token_from_env() -> str | None:
    """The Tendril's token that the environment holds, if it does."""
    return os.environ.get(TENDRIL_TOKEN, "").strip() or None
