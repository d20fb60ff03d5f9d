"""Sessions: signing in, and an access token that is renewed ahead of its expiry."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING

from pydantic import SecretStr

from vintner_client._concurrency.async_tools import AsyncLock
from vintner_client._retries import AWAY
from vintner_client._session import (
    KeptSession,
    Session,
    TendrilToken,
    session_from,
    token_refused,
    understanding_auth,
)
from vintner_client._storage import Storage
from vintner_client.errors import (
    InvalidInput,
    NotSignedIn,
    WrongCredentials,
)

if TYPE_CHECKING:
    from supabase_auth import AsyncGoTrueClient

    from vintner_client._async.http import AsyncHttpClient

PATIENCE = 5.0
"""Seconds until Auth is asked again that could not renew a token which still holds."""


class AsyncAuth:
    """`client.auth`: who is asking.

    Args:
        url: the project's URL.
        key: its API key.
        http: the shared HTTP client.
        storage: where the session is kept.
        session: a session from elsewhere, to be used in place of the one that is kept.
        tendril_token: whom to sign in as when a request needs it.
    """

    def __init__(
        self,
        url: str,
        key: str,
        http: AsyncHttpClient,
        storage: Storage,
        session: Session | None,
        tendril_token: str | SecretStr | None,
    ) -> None:
        if session is not None and tendril_token is not None:
            raise InvalidInput("A session and a Tendril's token are given.", hint="Give one.")
        self._url = f"{url}/auth/v1"
        self._key = key
        self._http = http
        self._tendril = None if tendril_token is None else TendrilToken(tendril_token)
        self._kept = KeptSession(storage, url)
        if session is not None:
            self._kept.save(session)
        self._session = session or self._kept.load()
        if self._session and self._tendril and self._session.user_id != self._tendril.worker_id:
            self._session = None
        self._changing = AsyncLock()
        self._patient_until = 0.0
        self._gotrue: AsyncGoTrueClient | None = None

    @property
    def session(self) -> Session | None:
        """The present session, or None."""
        return self._session

    @property
    def user_id(self) -> uuid.UUID:
        """The signed-in user; for a Tendril also its worker id.

        Raises:
            NotSignedIn: there is none.
        """
        if self._session is not None:
            return self._session.user_id
        if self._tendril is not None:
            return self._tendril.worker_id
        raise NotSignedIn("This needs a signed-in user.", hint="Sign in and try again.")

    async def sign_up(self, *, email: str, password: str) -> Session:
        """Makes a user and signs in.

        Args:
            email: the new user's e-mail address.
            password: the new user's password.

        Raises:
            Conflict: there is such a user already.
            InvalidInput: Auth does not accept the e-mail or the password.
            EmailNotConfirmed: the user is made, and has to follow the link in an e-mail first.
        """
        async with self._changing:
            return await self._start(email, SecretStr(password), is_new=True)

    async def sign_in(self, *, email: str, password: str) -> Session:
        """Signs in.

        Args:
            email: the user's e-mail address.
            password: the user's password.

        Raises:
            WrongCredentials: e-mail or password is wrong.
            EmailNotConfirmed: the e-mail address is not confirmed yet.
        """
        async with self._changing:
            return await self._start(email, SecretStr(password))

    async def sign_in_tendril(self, *, token: str | SecretStr) -> Session:
        """Signs in as a Tendril; a session that ends is replaced by a new one from the token.

        Args:
            token: `vt_<worker id>_<secret>`, as `tendrils.register` showed it.

        Raises:
            WrongCredentials: the token is not one, or no longer holds.
        """
        tendril = TendrilToken(token)
        async with self._changing:
            return await self._start_tendril(tendril)

    async def sign_out(self) -> None:
        """Ends this session, here and on the server; other sessions of the user stay.

        Raises:
            ConnectionFailed: the server was not told; here it has ended all the same.
        """
        async with self._changing:
            self._tendril = None
            session = self._session
            if session is None:
                return
            try:
                if session.is_stale():
                    # one that has expired could not end the session on the server
                    session = await self._renew(session)
                await self._api().admin.sign_out(session.access_token, "local")
            except NotSignedIn:
                pass  # it has ended already
            finally:
                self._end()

    async def access_token(self, *, fresh: bool = False) -> str | None:
        """The access token, renewed if it is about to end; None if nobody has signed in.

        Args:
            fresh: renew it in any case, because a server has refused it.

        Raises:
            NotSignedIn: the session has ended and cannot be renewed.
            ConnectionFailed: Auth cannot be reached, and the token no longer holds.
        """
        before = self._session
        if before is None and self._tendril is None:
            return None
        if before is not None and not (fresh or self._is_due(before)):
            return before.access_token
        async with self._changing:
            # another task may have renewed it, or signed in or out, while this one waited
            if self._session is before and (before is None or fresh or self._is_due(before)):
                try:
                    await self._renew(before)
                except AWAY:
                    # ahead of its end, the present token does for a while
                    if fresh or before is None or before.has_ended():
                        raise
                    self._patient_until = time.monotonic() + PATIENCE
        return self._session.access_token if self._session else None

    def _is_due(self, session: Session) -> bool:
        """Whether a session is to be renewed, and that has not just been tried in vain."""
        is_patient = time.monotonic() < self._patient_until and not session.has_ended()
        return session.is_stale() and not is_patient

    async def _renew(self, session: Session | None) -> Session:
        """Buys a new access token, unless another process that shares the storage has done so.

        A refresh token holds once. Two that use the same one at the same time are given the same
        successor, but one that is used later ends the session for everybody (Auth's rule, "Refresh
        token reuse detection"): so the storage is read first.
        """
        if session is not None:
            renewed = self._kept.newer_than(session)
            if renewed is not None:
                self._session = session = renewed
                if not session.is_stale():
                    return session
            try:
                with understanding_auth():
                    answer = await self._api().refresh_session(session.refresh_token)
                    session = session_from(answer)
            except NotSignedIn:
                if self._tendril is None:
                    self._end()
                    raise
            else:
                self._session = session
                self._kept.renew(session)
                return session
        if self._tendril is None:
            raise NotSignedIn("The session has ended.", hint="Sign in again.")
        return await self._start_tendril(self._tendril)

    async def _start_tendril(self, tendril: TendrilToken) -> Session:
        try:
            session = await self._start(tendril.email, tendril.password)
        except WrongCredentials as error:
            raise token_refused() from error
        self._tendril = tendril
        return session

    async def _start(self, email: str, password: SecretStr, *, is_new: bool = False) -> Session:
        secret = password.get_secret_value()
        if not email or not secret:
            raise InvalidInput("An e-mail address and a password are needed.")
        api = self._api()
        with understanding_auth():
            answer = await (
                api.sign_up({"email": email, "password": secret})
                if is_new
                else api.sign_in_with_password({"email": email, "password": secret})
            )
            session = session_from(answer)
        self._tendril = None
        self._session = session
        self._kept.save(session)
        return session

    def _end(self) -> None:
        ended, self._session = self._session, None
        if ended is not None:
            self._kept.forget(ended)

    def _api(self) -> AsyncGoTrueClient:
        # imported on first use: a process with a session at hand seldom needs it
        from supabase_auth import AsyncGoTrueClient

        if self._gotrue is None:
            self._gotrue = AsyncGoTrueClient(
                url=self._url,
                headers={"apikey": self._key},
                http_client=self._http,
                auto_refresh_token=False,
                persist_session=False,
            )
        return self._gotrue
