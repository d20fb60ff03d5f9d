"""What a client needs to reach the stack, as environment variables and as a `.env` file."""

from __future__ import annotations

from collections.abc import Mapping
from io import StringIO
from pathlib import Path

from dotenv.parser import parse_stream

from vintner_local.errors import StackError
from vintner_local.files import write_private


def render(variables: Mapping[str, str]) -> str:
    """The variables as `NAME="value"` lines. The values hold no character that needs escaping."""
    return "".join(f'{name}="{value}"\n' for name, value in variables.items())


def merge(text: str, variables: Mapping[str, str]) -> str:
    """A `.env` text in which the variables have new values and everything else stays.

    Args:
        text: the present text; may be empty.
        variables: the values to set. One that the text has keeps its place; the others follow.
    """
    missing = dict(variables)
    pieces: list[str] = []
    for binding in parse_stream(StringIO(text)):
        if binding.key not in variables:
            pieces.append(binding.original.string)
        elif binding.key in missing:
            pieces.append(render({binding.key: missing.pop(binding.key)}))
    kept = "".join(pieces)
    if kept and missing and not kept.endswith("\n"):
        kept += "\n"
    return kept + render(missing)


def write(path: Path, variables: Mapping[str, str]) -> None:
    """Sets variables in a `.env` file, which is made where there is none.

    Args:
        path: the file; only its owner may read it afterwards.
        variables: see `merge`.

    Raises:
        StackError: the present text cannot be read.
    """
    try:
        present = path.read_text(encoding="utf-8") if path.exists() else ""
    except UnicodeDecodeError as error:
        raise StackError(f"{path} is not UTF-8, and is left as it is") from error
    write_private(path, merge(present, variables))
