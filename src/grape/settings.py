"""Which project grape speaks to: the environment, or the `.env` found upwards from here."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from dotenv import dotenv_values, find_dotenv

from grape.errors import GrapeError

URL = "SUPABASE_URL"
KEY = "SUPABASE_PUBLISHABLE_KEY"


@dataclass(frozen=True)
class Settings:
    """The project.

    Attributes:
        url: where it is.
        key: its publishable (or anon) API key.
    """

    url: str
    key: str = field(repr=False)


def load() -> Settings:
    """Reads the settings; the environment goes before `.env`.

    Raises:
        GrapeError: one of them is set nowhere.
    """
    present = {**dotenv_values(find_dotenv(usecwd=True)), **os.environ}
    values = {name: (present.get(name) or "").strip() for name in (URL, KEY)}
    missing = [name for name, value in values.items() if not value]
    if missing:
        raise GrapeError(
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set.",
            "Start a local stack with: vintner-local up; it writes them to .env. "
            "Or set them to those of your project.",
        )
    return Settings(url=values[URL].rstrip("/"), key=values[KEY])
