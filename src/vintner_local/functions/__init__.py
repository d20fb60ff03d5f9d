"""Edge Functions: the project's own programs, run by Deno behind `/functions/v1`."""

from __future__ import annotations

from vintner_local.functions.app import create_app

__all__ = ["create_app"]
