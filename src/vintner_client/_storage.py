"""Where a client keeps texts between processes: its session, and what live stores remember."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from pathlib import Path
from typing import Protocol


class Storage(Protocol):
    """What a client needs of a place to keep texts in; any object with these methods will do.

    They are called from the event loop, or by the sync client from any thread, and are to be quick.
    """

    def get_item(self, key: str) -> str | None:
        """The text of a key, or None where there is none."""
        ...

    def set_item(self, key: str, value: str) -> None:
        """Keeps a text, in place of the one before it."""
        ...

    def remove_item(self, key: str) -> None:
        """Forgets a key; one that is not there is no error."""
        ...


class MemoryStorage:
    """Keeps texts as long as the process runs."""

    def __init__(self) -> None:
        self._items: dict[str, str] = {}

    def get_item(self, key: str) -> str | None:
        """See `Storage`."""
        return self._items.get(key)

    def set_item(self, key: str, value: str) -> None:
        """See `Storage`."""
        self._items[key] = value

    def remove_item(self, key: str) -> None:
        """See `Storage`."""
        self._items.pop(key, None)


class FileStorage:
    """Keeps texts in a folder, one file a key, which only their owner may read.

    A file is replaced whole, so that processes that share the folder see one text or the other.
    What is not text counts as not there.

    Args:
        folder: is made when it is first needed.

    Raises:
        OSError: from every method, where the folder or a file cannot be read or written.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = Path(folder)

    def get_item(self, key: str) -> str | None:
        """See `Storage`."""
        try:
            return self._file(key).read_bytes().decode()
        except (FileNotFoundError, UnicodeDecodeError):
            return None

    def set_item(self, key: str, value: str) -> None:
        """See `Storage`."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # mkstemp makes files that only their owner may read
        handle, name = tempfile.mkstemp(dir=self._folder, prefix=".new-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(value.encode())
            Path(name).replace(self._file(key))
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def remove_item(self, key: str) -> None:
        """See `Storage`."""
        self._file(key).unlink(missing_ok=True)

    def _file(self, key: str) -> Path:
        # keys may hold anything and differ by case alone: the digest tells them apart
        readable = re.sub(r"[^a-zA-Z0-9.-]+", "_", key)[:60]
        return self._folder / f"{readable}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
