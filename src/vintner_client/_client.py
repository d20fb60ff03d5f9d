"""The client: what holds the connections, the session and the resources together."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from weakref import WeakSet

import httpx
from postgrest import AsyncRequestBuilder

from vintner_client._auth import Auth, Session
from vintner_client._resources.audit import Audit
from vintner_client._resources.identities import Identities
from vintner_client._resources.jobs import Jobs
from vintner_client._resources.lease import Lease
from vintner_client._resources.tendrils import Tendrils
from vintner_client._resources.vines import Vines
from vintner_client._resources.vineyards import Vineyards
from vintner_client._transport import BearerAuth, HttpClient, Transport
from vintner_client.errors import InvalidInput

if TYPE_CHECKING:
    from vintner_client._live.changes import Changes, Watch


class AsyncVintner:
    """A Vintner project. An async context manager that closes every connection it opened.

    Args:
        url: the project's URL, such as `https://abc.supabase.co` or `http://127.0.0.1:54321`.
        key: its publishable (or anon) API key.
        session: a session from earlier.
        on_session: called with each new session, and with None when it ends: keep it there.
        timeout: seconds for connecting and for each answer.

    Attributes:
        auth: signing in and out.
        vineyards: workspaces.
        identities: cloud accounts.
        vines: infrastructure, and the jobs that make it.
        jobs: jobs and their logs.
        tendrils: workers.
        audit: what happened to vines.
        lease: what a Tendril says about its job.

    Raises:
        InvalidInput: the URL is not one of http or https, or the key is empty.
    """

    def __init__(
        self,
        *,
        url: str,
        key: str,
        session: Session | None = None,
        on_session: Callable[[Session | None], None] | None = None,
        timeout: float = 10.0,
    ) -> None:
        self._url = _checked_url(url)
        self._key = key
        if not key:
            raise InvalidInput("The API key is empty.", hint="Set SUPABASE_PUBLISHABLE_KEY.")
        if not (key.isascii() and key.isprintable()):
            raise InvalidInput(
                "The API key holds a character that no key has.",
                hint="Check SUPABASE_PUBLISHABLE_KEY against the project's keys.",
            )
        self._http = HttpClient(
            headers={"apikey": key, "X-Client-Info": "vintner-client-python"},
            timeout=httpx.Timeout(timeout),
            follow_redirects=True,
        )
        self._subscriptions: WeakSet[Changes] = WeakSet()
        self.auth = Auth(self._url, key, self._http, session, on_session)
        self._http.auth = BearerAuth(self.auth.access_token)
        transport = Transport(self._url, key, self._http)
        self._transport = transport
        self.vineyards = Vineyards(transport)
        self.identities = Identities(transport)
        self.vines = Vines(transport)
        self.jobs = Jobs(transport, self._subscribe)
        self.tendrils = Tendrils(transport)
        self.audit = Audit(transport)
        self.lease = Lease(transport, self.auth)

    @classmethod
    def from_env(cls, **options: Any) -> Self:
        """A client of the project that the environment names.

        Args:
            options: as for the constructor, without `url` and `key`.

        Raises:
            InvalidInput: SUPABASE_URL or SUPABASE_PUBLISHABLE_KEY is not set.
        """
        return cls(
            url=_setting("SUPABASE_URL"), key=_setting("SUPABASE_PUBLISHABLE_KEY"), **options
        )

    @property
    def url(self) -> str:
        """The project's URL, without a slash at its end."""
        return self._url

    def table(self, name: str) -> AsyncRequestBuilder:
        """The raw PostgREST builder of a table, for what has no method yet.

        Its answers are postgrest's; its errors are this library's.
        """
        return self._transport.table(name)

    async def close(self) -> None:
        """Closes every socket."""
        for changes in list(self._subscriptions):
            await changes.close()
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def _subscribe(self, *watches: Watch) -> Changes:
        from vintner_client._live.changes import Changes

        changes = Changes(self._url, self._key, self.auth, watches)
        self._subscriptions.add(changes)
        return changes


def _checked_url(url: str) -> str:
    try:
        parts = httpx.URL(url)
    except httpx.InvalidURL:
        parts = httpx.URL()
    if parts.scheme not in ("http", "https") or not parts.host:
        raise InvalidInput(f'"{url}" is not the URL of a project.', hint="Set SUPABASE_URL.")
    return url.rstrip("/")


def _setting(name: str) -> str:
    value = os.environ.get(name, "").strip()
    if not value:
        raise InvalidInput(
            f"{name} is not set.",
            hint="Set it to the project's, as `supabase status` or the dashboard shows it.",
        )
    return value
