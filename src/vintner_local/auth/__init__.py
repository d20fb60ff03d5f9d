"""Supabase Auth, as far as password users need it.

Tables, answers and errors are those of Supabase's own server, so that the client libraries and SQL
written against `auth` behave alike. What would need mail, SMS or another party is refused with 501.
"""

from vintner_local.auth.app import create_app

__all__ = ["create_app"]
