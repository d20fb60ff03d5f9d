"""Supabase Realtime's stand-in: changes of published tables, broadcast and presence.

Spoken is the protocol of Supabase Realtime as recorded from a real server; the recordings are among
the tests. What only a service needs is left out: tenants, quotas per second, long polling.
"""

from vintner_local.realtime.app import create_app
from vintner_local.realtime.limits import Limits

__all__ = ["Limits", "create_app"]
