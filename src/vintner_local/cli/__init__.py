"""The command `vintner-local`."""

from __future__ import annotations

from vintner_local.cli.app import main

__all__ = ["main"]
