# Made by scripts/generate_sync.py from src/vintner_client/_async/auth.py: run `make sync`.
"""Sessions: signing in, and an access token that is renewed ahead of its expiry."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from pydantic import SecretStr, ValidationError

from vintner_client._concurrency import SyncLock
from vintner_client._session import TENDRIL_TOKEN, KeptSession, Session, session_from
from vintner_client._storage import Storage
from vintner_client.errors import InvalidInput, NotSignedIn, ServerFailed, WrongCredentials

if TYPE_CHECKING:
    from supabase_auth import SyncGoTrueClient

    from vintner_client._sync.transport import SyncHttpClient


class SyncAuth:
    """`client.auth`: who is asking.

    Args:
        url: the project's URL.
        key: its API key.
        http: the shared HTTP client.
        storage: where the session is kept.
        session: a session from elsewhere, to be used in place of the one that is kept.
    """

    def __init__(
        self,
        url: str,
        key: str,
        http: SyncHttpClient,
        storage: Storage,
        session: Session | None,
    ) -> None:
        self._url = f"{url}/auth/v1"
        self._key = key
        self._http = http
        self._kept = KeptSession(storage, url)
        if session is not None:
            self._kept.save(session)
        self._session = session or self._kept.load()
        self._tendril_token: SecretStr | None = None
        self._renewing = SyncLock()
        self._gotrue: SyncGoTrueClient | None = None

    @property
    def session(self) -> Session | None:
        """The present session, or None."""
        return self._session

    @property
    def user_id(self) -> uuid.UUID:
        """The signed-in user.

        Raises:
            NotSignedIn: there is none.
        """
        return self._signed_in().user_id

    def sign_up(self, *, email: str, password: str) -> Session:
        """Makes a user and signs in.

        Args:
            email: the new user's e-mail address.
            password: the new user's password.

        Raises:
            Conflict: there is such a user already.
            InvalidInput: Auth does not accept the e-mail or the password.
            EmailNotConfirmed: the user is made, and has to follow the link in an e-mail first.
        """
        return self._start(email, password, is_new=True)

    def sign_in(self, *, email: str, password: str) -> Session:
        """Signs in.

        Raises:
            WrongCredentials: e-mail or password is wrong.
            EmailNotConfirmed: the e-mail address is not confirmed yet.
        """
        return self._start(email, password, is_new=False)

    def sign_in_tendril(self, *, token: str | SecretStr) -> Session:
        """Signs in as a Tendril; a session that ends is replaced by a new one from the token.

        Args:
            token: `vt_<worker id>_<secret>`, as `tendrils.register` showed it.

        Raises:
            WrongCredentials: the token is not one, or no longer holds.
        """
        secret = SecretStr(token) if isinstance(token, str) else token
        found = TENDRIL_TOKEN.fullmatch(secret.get_secret_value())
        refused = WrongCredentials(
            "The Tendril's token is not accepted.",
            hint="Register the Tendril anew: grape tendril register NAME.",
            code="invalid_credentials",
        )
        if not found:
            raise refused
        email = f"{found['worker_id']}@tendril.invalid"
        try:
            session = self._start(email, secret.get_secret_value(), is_new=False)
        except WrongCredentials as error:
            raise refused from error
        self._tendril_token = secret
        return session

    def sign_out(self) -> None:
        """Ends this session, here and on the server; other sessions of the user stay."""
        self._tendril_token = None
        if self._session is None:
            return
        try:
            # one that has expired could not end the session on the server
            token = self.access_token()
            if token is not None:
                self._api().admin.sign_out(token, "local")
        except NotSignedIn:
            pass  # it has ended already
        finally:
            self._end()

    def access_token(self, fresh: bool = False) -> str | None:
        """The access token, renewed if it is about to end; None without a session.

        Args:
            fresh: renew it in any case, because a server has refused it.

        Raises:
            NotSignedIn: the session has ended and cannot be renewed.
        """
        before = self._session
        if before is None:
            return None
        if not (fresh or before.is_stale()):
            return before.access_token
        with self._renewing:
            # another task may have renewed it while this one waited
            if self._session is before:
                self._renew(before)
        return self._session.access_token if self._session else None

    def _renew(self, session: Session) -> None:
        """Buys a new access token, unless another process that shares the storage has done so.

        A refresh token holds once. Two that use the same one at the same time are given the same
        successor, but one that is used later ends the session for everybody (Auth's rule, "Refresh
        token reuse detection"): so the storage is read first.
        """
        renewed = self._kept.newer_than(session)
        if renewed is not None:
            self._session = session = renewed
            if not session.is_stale():
                return
        try:
            answer = self._api().refresh_session(session.refresh_token)
        except NotSignedIn:
            if self._tendril_token is not None:
                self.sign_in_tendril(token=self._tendril_token)
                return
            self._end()
            raise
        self._session = session_from(answer)
        self._kept.renew(self._session)

    def _start(self, email: str, password: str, *, is_new: bool) -> Session:
        if not email or not password:
            raise InvalidInput("An e-mail address and a password are needed.")
        api = self._api()
        try:
            answer = (
                api.sign_up({"email": email, "password": password})
                if is_new
                else api.sign_in_with_password({"email": email, "password": password})
            )
        except ValidationError as error:
            raise ServerFailed("Auth's answer is not as expected.") from error
        self._session = session_from(answer)
        self._kept.save(self._session)
        return self._session

    def _signed_in(self) -> Session:
        if self._session is None:
            raise NotSignedIn("This needs a signed-in user.", hint="Sign in and try again.")
        return self._session

    def _end(self) -> None:
        ended, self._session = self._session, None
        if ended is not None:
            self._kept.forget(ended)

    def _api(self) -> SyncGoTrueClient:
        # imported on first use: a process with a session at hand seldom needs it
        from supabase_auth import SyncGoTrueClient

        if self._gotrue is None:
            self._gotrue = SyncGoTrueClient(
                url=self._url,
                headers={"apikey": self._key},
                http_client=self._http,
                auto_refresh_token=False,
                persist_session=False,
            )
        return self._gotrue
