"""What stands for an argument that was not given, where None is a value."""

from __future__ import annotations

from enum import Enum
from typing import Any, Final


class Unset(Enum):
    """The type of `UNSET`."""

    UNSET = "UNSET"

    def __repr__(self) -> str:
        return self.value


UNSET: Final = Unset.UNSET


def given(**values: Any) -> dict[str, Any]:
    """The values that were given."""
    return {name: value for name, value in values.items() if value is not UNSET}
