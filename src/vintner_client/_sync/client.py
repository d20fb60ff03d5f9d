# Made by scripts/generate_sync.py from src/vintner_client/_async/client.py: run `make sync`.
"""The client: what holds the connections, the session and the resources together."""

from __future__ import annotations

from copy import copy
from functools import cached_property
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Self

import httpx
from pydantic import SecretStr

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
from vintner_client._sync.auth import SyncAuth
from vintner_client._sync.http import SyncBearerAuth, SyncHttpClient, client_closed
from vintner_client._sync.transport import SyncTransport

if TYPE_CHECKING:
    from postgrest import SyncRequestBuilder

    from vintner_client._live.entry import SyncLive
    from vintner_client._sync.resources.accounts import SyncAccounts
    from vintner_client._sync.resources.audit import SyncAudit
    from vintner_client._sync.resources.identities import SyncIdentities
    from vintner_client._sync.resources.jobs import SyncJobs
    from vintner_client._sync.resources.lease import SyncLease
    from vintner_client._sync.resources.tendrils import SyncTendrils
    from vintner_client._sync.resources.vines import SyncVines
    from vintner_client._sync.resources.vineyards import SyncVineyards

CONNECT_SECONDS = 5.0


class Vintner:
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
        self.auth: SyncAuth = SyncAuth(self._url, self._key, http, storage, session, tendril_token)
        self._storage = storage
        self._live: SyncLive | None = None
        self._live_lock = Lock()
        self._use(http)

    def _http_client(self, lender: SyncHttpClient | None) -> SyncHttpClient:
        return SyncHttpClient(
            key=self._key,
            timeout=httpx.Timeout(self._timeout, connect=min(self._timeout, CONNECT_SECONDS)),
            retries=Retries(self._max_retries),
            lender=lender,
        )

    def _use(self, http: SyncHttpClient) -> None:
        self._http = http
        http.auth = SyncBearerAuth(self.auth)
        transport = SyncTransport(self._url, self._key, http)
        self._transport = transport

    # each is imported when it is first asked for, so that a program loads only what it uses

    @cached_property
    def accounts(self) -> SyncAccounts:
        """Teams and who belongs to them."""
        from vintner_client._sync.resources.accounts import SyncAccounts

        return SyncAccounts(self._transport)

    @cached_property
    def vineyards(self) -> SyncVineyards:
        """Workspaces."""
        from vintner_client._sync.resources.vineyards import SyncVineyards

        return SyncVineyards(self._transport)

    @cached_property
    def identities(self) -> SyncIdentities:
        """Cloud accounts."""
        from vintner_client._sync.resources.identities import SyncIdentities

        return SyncIdentities(self._transport)

    @cached_property
    def vines(self) -> SyncVines:
        """Infrastructure, and the jobs that make it."""
        from vintner_client._sync.resources.vines import SyncVines

        return SyncVines(self._transport)

    @cached_property
    def jobs(self) -> SyncJobs:
        """Jobs and their logs."""
        from vintner_client._sync.resources.jobs import SyncJobs

        return SyncJobs(self._transport, self)

    @cached_property
    def tendrils(self) -> SyncTendrils:
        """Workers."""
        from vintner_client._sync.resources.tendrils import SyncTendrils

        return SyncTendrils(self._transport)

    @cached_property
    def audit(self) -> SyncAudit:
        """What happened to vines."""
        from vintner_client._sync.resources.audit import SyncAudit

        return SyncAudit(self._transport)

    @cached_property
    def lease(self) -> SyncLease:
        """What a Tendril says about its job."""
        from vintner_client._sync.resources.lease import SyncLease

        return SyncLease(self._transport, self.auth)

    @property
    def live(self) -> SyncLive:
        """What happens, as it happens.

        Raises:
            ClientClosed: the client was closed before anything live was asked for.
        """
        from vintner_client._live.entry import SyncLive

        if self._lender is not None:
            return self._lender.live
        with self._live_lock:
            if self._live is None:
                if self._http.is_closed:
                    raise client_closed()
                self._live = SyncLive(self, self._key, self._storage)
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
            storage: see `Vintner`.
            session: see `Vintner`.
            tendril_token: see `Vintner`.
            timeout: see `Vintner`; in seconds.
            max_retries: see `Vintner`.

        Raises:
            InvalidInput: a variable is not set, or a value is not accepted; see `Vintner`.
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

    def table(self, name: str) -> SyncRequestBuilder:
        """The raw PostgREST builder of a table, for what has no method yet.

        Its answers are postgrest's. Its errors are this library's, but for what the builder finds
        wrong itself, such as several rows for `maybe_single`: that is `postgrest.APIError`.

        Args:
            name: of a table or view in `public`.
        """
        return self._transport.table(name)

    def close(self) -> None:
        """Closes every socket; a client `with_options` has none of its own."""
        if self._lender is None and self._live is not None:
            self._live._close()
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


RESOURCES = [name for name, value in vars(Vintner).items() if isinstance(value, cached_property)]
