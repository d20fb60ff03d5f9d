"""Masks known secret values in text that arrives piece by piece."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

MASK = "***"
SHORTEST_SECRET = 6


def secret_values(credentials: object) -> frozenset[str]:
    """Every string in credentials that is to be masked, in each form in which it may be printed.

    All strings count, whatever their key, so that a new kind of credential is never printed for
    being unknown here. Lines of a long secret count singly. What is shorter than six characters
    does not: masking it would blot out ordinary text.

    Args:
        credentials: JSON of any shape.
    """
    return frozenset(
        form
        for text in _strings(credentials)
        for part in (text, *text.splitlines())
        for form in _forms(part.strip())
        if len(form) >= SHORTEST_SECRET
    )


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


def _forms(secret: str) -> Iterator[str]:
    if len(secret) < SHORTEST_SECRET:
        return
    yield secret
    yield json.dumps(secret)[1:-1]
    yield quote(secret, safe="")
    yield base64.b64encode(secret.encode()).decode().rstrip("=")


class Masker:
    """Replaces secrets in one stream of text, also where a secret is split between two pieces.

    Args:
        secrets: the values to mask.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = sorted(secrets, key=len, reverse=True)
        self._longest = len(self._secrets[0]) if self._secrets else 0
        self._pattern = re.compile("|".join(map(re.escape, self._secrets)) or r"(?!)")
        self._held = ""

    def feed(self, text: str) -> str:
        """Takes a piece of text and gives what can be shown so far.

        What might be the beginning of a secret is held back until the next piece decides it.
        """
        text = self._held + text
        hold = self._possible_start(text, 0)
        for match in self._pattern.finditer(text):
            if match.start() < hold < match.end():
                hold = self._possible_start(text, match.end())
        self._held = text[hold:]
        return self.mask(text[:hold])

    def finish(self) -> str:
        """What is still held back, at the stream's end."""
        held, self._held = self._held, ""
        return self.mask(held)

    def mask(self, text: str) -> str:
        """A whole text with its secrets masked."""
        return self._pattern.sub(MASK, text)

    def _possible_start(self, text: str, begin: int) -> int:
        """Where a secret may begin that the text's end cuts off; the text's length if nowhere."""
        for start in range(max(begin, len(text) - self._longest + 1), len(text)):
            tail = text[start:]
            if any(len(secret) > len(tail) and secret.startswith(tail) for secret in self._secrets):
                return start
        return len(text)
