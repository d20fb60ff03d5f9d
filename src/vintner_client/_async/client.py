"""The client: what holds the connections, the session and the resources together."""

from __future__ import annotations

from copy import copy
from functools import cached_property
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Self

import httpx
from pydantic import SecretStr

from vintner_client._async.auth import AsyncAuth
from vintner_client._async.http import AsyncBearerAuth, AsyncHttpClient, client_closed
from vintner_client._async.transport import AsyncTransport
from vintner_client._retries import Retries
from vintner_client._session import Session
from vintner_client._settings import (
    checked_key,
    checked_timeout,
    checked_url,
    project_from_env,
    tendril_token_from_env,
)
from vintner_client._storage import MemoryStorage, Storage

if TYPE_CHECKING:
    from postgrest import AsyncRequestBuilder

    from vintner_client._async.resources.accounts import AsyncAccounts
    from vintner_client._async.resources.audit import AsyncAudit
    from vintner_client._async.resources.identities import AsyncIdentities
    from vintner_client._async.resources.jobs import AsyncJobs
    from vintner_client._async.resources.lease import AsyncLease
    from vintner_client._async.resources.tendrils import AsyncTendrils
    from vintner_client._async.resources.vines import AsyncVines
    from vintner_client._async.resources.vineyards import AsyncVineyards
    from vintner_client._live.entry import AsyncLive

CONNECT_SECONDS = 5.0


class AsyncVintner:
    """A Vintner project. An async context manager that closes every connection it opened.

    Args:
        url: the project's URL, such as `https://abc.supabase.co` or `http://127.0.0.1:54321`.
        key: its publishable (or anon) API key.
        storage: keeps the session from one process to the next; in memory alone by default.
        session: a session from elsewhere, to be used in place of the one that is kept.
        tendril_token: a Tendril's token; the client signs in with it when a request needs that.
        timeout: seconds for each answer, and 5 at most for connecting.
        max_retries: how often a request is repeated that is safe to repeat and may succeed.

    Attributes:
        auth: signing in and out.
        accounts: teams and who belongs to them.
        vineyards: workspaces.
        identities: cloud accounts.
        vines: infrastructure, and the jobs that make it.
        jobs: jobs and their logs.
        tendrils: workers.
        audit: what happened to vines.
        lease: what a Tendril says about its job.
        live: what happens, as it happens.

    Raises:
        InvalidInput: the URL is not one of http or https, the key is empty, the timeout is none, or
            both a session and a Tendril's token are given.
        WrongCredentials: the Tendril's token is not one.
    """

    def __init__(
        self,
        *,
        url: str,
        key: str,
        storage: Storage | None = None,
        session: Session | None = None,
        tendril_token: str | SecretStr | None = None,
        timeout: float = 10.0,
        max_retries: int = 2,
    ) -> None:
        self._url = checked_url(url)
        self._key = checked_key(key)
        self._timeout = checked_timeout(timeout)
        self._max_retries = max_retries
        self._lender: Self | None = None
        http = self._http_client(None)
        storage = MemoryStorage() if storage is None else storage
        self.auth: AsyncAuth = AsyncAuth(
            self._url, self._key, http, storage, session, tendril_token
        )
        self._storage = storage
        self._live: AsyncLive | None = None
        self._live_lock = Lock()
        self._use(http)

    def _http_client(self, lender: AsyncHttpClient | None) -> AsyncHttpClient:
        return AsyncHttpClient(
            key=self._key,
            timeout=httpx.Timeout(self._timeout, connect=min(self._timeout, CONNECT_SECONDS)),
            retries=Retries(self._max_retries),
            lender=lender,
        )

    def _use(self, http: AsyncHttpClient) -> None:
        self._http = http
        http.auth = AsyncBearerAuth(self.auth)
        transport = AsyncTransport(self._url, self._key, http)
        self._transport = transport

    # each is imported when it is first asked for, so that a program loads only what it uses

    @cached_property
    def accounts(self) -> AsyncAccounts:
        """Teams and who belongs to them."""
        from vintner_client._async.resources.accounts import AsyncAccounts

        return AsyncAccounts(self._transport)

    @cached_property
    def vineyards(self) -> AsyncVineyards:
        """Workspaces."""
        from vintner_client._async.resources.vineyards import AsyncVineyards

        return AsyncVineyards(self._transport)

    @cached_property
    def identities(self) -> AsyncIdentities:
        """Cloud accounts."""
        from vintner_client._async.resources.identities import AsyncIdentities

        return AsyncIdentities(self._transport)

    @cached_property
    def vines(self) -> AsyncVines:
        """Infrastructure, and the jobs that make it."""
        from vintner_client._async.resources.vines import AsyncVines

        return AsyncVines(self._transport)

    @cached_property
    def jobs(self) -> AsyncJobs:
        """Jobs and their logs."""
        from vintner_client._async.resources.jobs import AsyncJobs

        return AsyncJobs(self._transport, self)

    @cached_property
    def tendrils(self) -> AsyncTendrils:
        """Workers."""
        from vintner_client._async.resources.tendrils import AsyncTendrils

        return AsyncTendrils(self._transport)

    @cached_property
    def audit(self) -> AsyncAudit:
        """What happened to vines."""
        from vintner_client._async.resources.audit import AsyncAudit

        return AsyncAudit(self._transport)

    @cached_property
    def lease(self) -> AsyncLease:
        """What a Tendril says about its job."""
        from vintner_client._async.resources.lease import AsyncLease

        return AsyncLease(self._transport, self.auth)

    @property
    def live(self) -> AsyncLive:
        """What happens, as it happens.

        Raises:
            ClientClosed: the client was closed before anything live was asked for.
        """
        from vintner_client._live.entry import AsyncLive

        if self._lender is not None:
            return self._lender.live
        with self._live_lock:
            if self._live is None:
                if self._http.is_closed:
                    raise client_closed()
                self._live = AsyncLive(self, self._key, self._storage)
            return self._live

    def with_options(self, *, timeout: float | None = None, max_retries: int | None = None) -> Self:
        """This client with other options: the same session and connections, which stay this one's.

        Args:
            timeout: seconds for each answer; as before by default.
            max_retries: how often a request is repeated; as before by default.

        Raises:
            InvalidInput: the timeout is none.
        """
        twin = copy(self)
        twin._timeout = self._timeout if timeout is None else checked_timeout(timeout)
        twin._max_retries = self._max_retries if max_retries is None else max_retries
        twin._lender = self
        for name in RESOURCES:
            vars(twin).pop(name, None)
        twin._use(twin._http_client(self._http))
        return twin

    @classmethod
    def from_env(
        cls,
        *,
        storage: Storage | None = None,
        session: Session | None = None,
        tendril_token: str | SecretStr | None = None,
        timeout: float = 10.0,
        max_retries: int = 2,
    ) -> Self:
        """A client of the project that the environment names.

        SUPABASE_URL and SUPABASE_PUBLISHABLE_KEY name the project. VINTNER_TENDRIL_TOKEN may hold
        the Tendril's token, unless that or a session is given.

        Args:
            storage: see `AsyncVintner`.
            session: see `AsyncVintner`.
            tendril_token: see `AsyncVintner`.
            timeout: see `AsyncVintner`; in seconds.
            max_retries: see `AsyncVintner`.

        Raises:
            InvalidInput: a variable is not set, or a value is not accepted; see `AsyncVintner`.
            WrongCredentials: the Tendril's token is not one.
        """
        url, key = project_from_env()
        if session is None and tendril_token is None:
            tendril_token = tendril_token_from_env()
        return cls(
            url=url,
            key=key,
            storage=storage,
            session=session,
            tendril_token=tendril_token,
            timeout=timeout,
            max_retries=max_retries,
        )

    @property
    def url(self) -> str:
        """The project's URL, without a slash at its end."""
        return self._url

    def table(self, name: str) -> AsyncRequestBuilder:
        """The raw PostgREST builder of a table, for what has no method yet.

        Its answers are postgrest's. Its errors are this library's, but for what the builder finds
        wrong itself, such as several rows for `maybe_single`: that is `postgrest.APIError`.

        Args:
            name: of a table or view in `public`.
        """
        return self._transport.table(name)

    async def close(self) -> None:
        """Closes every socket; a client `with_options` has none of its own."""
        if self._lender is None and self._live is not None:
            await self._live._close()
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


RESOURCES = [
    name for name, value in vars(AsyncVintner).items() if isinstance(value, cached_property)
]
