"""Where a session is kept between commands: one file a project, for its owner's eyes only."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from platformdirs import user_config_path

if TYPE_CHECKING:
    from vintner_client import Session


class SessionFile:
    """The session of one project.

    Args:
        url: the project's URL.
    """

    def __init__(self, url: str) -> None:
        readable = re.sub(r"[^a-zA-Z0-9.-]+", "_", url.partition("://")[2])[:60]
        digest = hashlib.sha256(url.encode()).hexdigest()[:12]
        self.path: Path = user_config_path("vintner") / "sessions" / f"{readable}-{digest}.json"

    def load(self) -> Session | None:
        """The session, or None where there is none that can be read."""
        from pydantic import ValidationError

        from vintner_client import Session

        try:
            return Session.model_validate_json(self.path.read_bytes())
        except (FileNotFoundError, ValidationError):
            return None

    def save(self, session: Session | None) -> None:
        """Keeps a session, whole or not at all; None forgets it."""
        if session is None:
            self.path.unlink(missing_ok=True)
            return
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # mkstemp makes files that only their owner may read
        handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=".session-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(session.model_dump_json())
            Path(name).replace(self.path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
