"""A job's log chunks on disk, from when they are cut until the API has taken them."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path

from vintner_client.models import NewLogChunk


class Spool:
    """A queue of chunks in a private file, so that an outage costs disk and not memory.

    Args:
        path: the file to create; it must not exist.
    """

    def __init__(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        self._file = os.fdopen(descriptor, "w+b")
        self._first = 0
        self._end = 0

    @property
    def is_empty(self) -> bool:
        """Whether everything has been dropped again."""
        return self._first == self._end

    def append(self, chunk: NewLogChunk) -> None:
        """Adds a chunk at the end."""
        self._file.seek(self._end)
        self._end += self._file.write(chunk.model_dump_json().encode() + b"\n")

    def peek(self, count: int) -> list[NewLogChunk]:
        """The first chunks, at most `count`, which stay."""
        self._file.seek(self._first)
        return [NewLogChunk.model_validate_json(line) for line in islice(self._file, count)]

    def drop(self, count: int) -> None:
        """Drops the first `count` chunks."""
        self._file.seek(self._first)
        self._first += sum(len(line) for line in islice(self._file, count))
        if self.is_empty:
            self._file.truncate(0)
            self._first = self._end = 0

    def close(self) -> None:
        """Closes the file."""
        self._file.close()
