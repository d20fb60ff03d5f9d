"""Reading what a person wrote in YAML or JSON."""

from __future__ import annotations

import json
import math
import re
from itertools import count
from typing import Any

import click
import yaml

from grape.errors import GrapeError

MOST_VALUES = 100_000
# control characters and halves of surrogate pairs
NO_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


class Number(float):
    """A decimal number that knows how it was written: the version 1.30 is not 1.3."""

    text: str

    @classmethod
    def read(cls, text: str) -> Number:
        """The number that a text is."""
        number = cls(text)
        number.text = text
        return number


class Loader(yaml.SafeLoader):
    """Plain YAML, with dates left as texts and decimals as they were written."""

    yaml_implicit_resolvers = {  # noqa: RUF012 the base class declares it so
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def number(self, node: yaml.ScalarNode) -> float:
        """A decimal number."""
        try:
            return Number.read(str(node.value))
        except ValueError:
            return float(self.construct_yaml_float(node))


Loader.add_constructor("tag:yaml.org,2002:float", Loader.number)


def read_mapping(path: str) -> dict[str, Any]:
    """What a file holds.

    Args:
        path: a YAML or JSON file; `-` for standard input.

    Raises:
        GrapeError: it cannot be read, does not hold a mapping, or holds what no JSON text can.
    """
    name = "Standard input" if path == "-" else path
    try:
        with click.open_file(path, encoding="utf-8") as file:
            text = file.read()
    except UnicodeDecodeError:
        raise GrapeError(f"{name} is not text in UTF-8.") from None
    except OSError as error:
        raise GrapeError(f"{name} cannot be read: {error.strerror}.") from error
    try:
        value = _parsed(text, name)
        if not isinstance(value, dict):
            raise GrapeError(f"{name} does not hold keys and values.")
        plain = _Plain(name)
        return {plain.text(str(key)): plain.value(str(key), value[key]) for key in value}
    except RecursionError:
        raise GrapeError(f"{name} is nested too deeply, or refers to itself.") from None


def _parsed(text: str, name: str) -> object:
    try:
        return json.loads(text, parse_float=Number.read)
    except ValueError:
        return _yaml(text, name)


def _yaml(text: str, name: str) -> object:
    try:
        return yaml.load(text, Loader)  # noqa: S506 a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise GrapeError(f"{name} is neither YAML nor JSON{where}: {error.problem}.") from None
    except yaml.reader.ReaderError as error:
        raise GrapeError(
            f"{name} is neither YAML nor JSON: it holds the character U+{int(error.character):04X}."
        ) from None
    except yaml.YAMLError:
        raise GrapeError(f"{name} is neither YAML nor JSON.") from None
    except ValueError as error:
        raise GrapeError(f"{name} holds a value that cannot be read: {error}.") from None


class _Plain:
    """What a file holds as JSON can say it, with versions as texts.

    Args:
        name: the file's, for people.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._seen = count()

    def value(self, key: str, value: object) -> object:
        """A value that stands under a key."""
        # a few aliases of aliases in YAML stand for billions of values
        if next(self._seen) > MOST_VALUES:
            raise GrapeError(f"{self._name} holds more than {MOST_VALUES} values.")
        if isinstance(value, dict):
            return {self.text(str(k)): self.value(str(k), v) for k, v in value.items()}
        if isinstance(value, list):
            return [self.value(key, entry) for entry in value]
        if isinstance(value, str):
            return self.text(value, key)
        if isinstance(value, float):
            if not math.isfinite(value):
                raise GrapeError(f"{self._name}: {key} is not a finite number.")
            is_version = isinstance(value, Number) and key.endswith("_version")
            return value.text if isinstance(value, Number) and is_version else value
        if value is None or isinstance(value, int):
            return value
        raise GrapeError(f"{self._name}: {key} is a {type(value).__name__}, which JSON has not.")

    def text(self, text: str, key: str = "") -> str:
        """A text that the database can hold."""
        found = NO_TEXT.search(text)
        if found:
            where = key or "a key"
            raise GrapeError(f"{self._name}: {where} holds the character U+{ord(found[0]):04X}.")
        return text
