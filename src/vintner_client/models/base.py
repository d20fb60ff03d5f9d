"""The base of all rows and answers."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """Base of all of them: read-only."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, defer_build=True)
