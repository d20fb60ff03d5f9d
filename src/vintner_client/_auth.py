"""Sessions: signing in, and an access token that is renewed ahead of its expiry."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, SecretStr, ValidationError

from vintner_client.errors import (
    EmailNotConfirmed,
    InvalidInput,
    NotSignedIn,
    ServerFailed,
    WrongCredentials,
)

if TYPE_CHECKING:
    from supabase_auth import AsyncGoTrueClient
    from supabase_auth.types import AuthResponse

    from vintner_client._transport import HttpClient

MARGIN = timedelta(seconds=60)
TENDRIL_TOKEN = re.compile(
    r"vt_(?P<worker_id>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})_[A-Za-z0-9_-]{16,}"
)


class Session(BaseModel):
    """A signed-in user; `model_dump_json` and `model_validate_json` keep it between processes.

    Attributes:
        access_token: the JWT that requests speak with.
        refresh_token: buys the next access token, once.
        expires_at: when the access token ends, by this machine's clock.
        lifetime: for how long the access token was made, in seconds.
        user_id: the auth user; for a Tendril also its worker id.
        email: the user's e-mail address, if there is one.
    """

    model_config = ConfigDict(frozen=True)

    access_token: str = Field(repr=False)
    refresh_token: str = Field(repr=False)
    expires_at: AwareDatetime
    lifetime: float
    user_id: uuid.UUID
    email: str | None = None

    def is_stale(self) -> bool:
        """Whether the access token is to be renewed: a minute, or a quarter of it, is left."""
        margin = min(MARGIN, timedelta(seconds=self.lifetime / 4))
        return datetime.now(UTC) >= self.expires_at - margin


class Auth:
    """`client.auth`: who is asking.

    Args:
        url: the project's URL.
        key: its API key.
        http: the shared HTTP client.
        session: a session from earlier.
        on_session: called with each new session, and with None when it ends.
    """

    def __init__(
        self,
        url: str,
        key: str,
        http: HttpClient,
        session: Session | None,
        on_session: Callable[[Session | None], None] | None,
    ) -> None:
        self._url = f"{url}/auth/v1"
        self._key = key
        self._http = http
        self._session = session
        self._on_session = on_session
        self._tendril_token: SecretStr | None = None
        self._renewing = asyncio.Lock()
        self._gotrue: AsyncGoTrueClient | None = None

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
        return await self._start(email, password, is_new=True)

    async def sign_in(self, *, email: str, password: str) -> Session:
        """Signs in.

        Raises:
            WrongCredentials: e-mail or password is wrong.
            EmailNotConfirmed: the e-mail address is not confirmed yet.
        """
        return await self._start(email, password, is_new=False)

    async def sign_in_tendril(self, *, token: str | SecretStr) -> Session:
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
            session = await self._start(email, secret.get_secret_value(), is_new=False)
        except WrongCredentials as error:
            raise refused from error
        self._tendril_token = secret
        return session

    async def sign_out(self) -> None:
        """Ends this session, here and on the server; other sessions of the user stay."""
        session, self._tendril_token = self._session, None
        if session is None:
            return
        try:
            await self._api().admin.sign_out(session.access_token, "local")
        except NotSignedIn:
            pass  # it has ended already
        finally:
            self._set(None)

    async def access_token(self, fresh: bool = False) -> str | None:
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
        async with self._renewing:
            # another task may have renewed it while this one waited
            if self._session is before:
                await self._renew(before)
        return self._session.access_token if self._session else None

    async def _renew(self, session: Session) -> None:
        try:
            answer = await self._api().refresh_session(session.refresh_token)
        except NotSignedIn:
            if self._tendril_token is not None:
                await self.sign_in_tendril(token=self._tendril_token)
                return
            self._set(None)
            raise
        self._set(_session(answer))

    async def _start(self, email: str, password: str, *, is_new: bool) -> Session:
        if not email or not password:
            raise InvalidInput("An e-mail address and a password are needed.")
        api = self._api()
        try:
            answer = await (
                api.sign_up({"email": email, "password": password})
                if is_new
                else api.sign_in_with_password({"email": email, "password": password})
            )
        except ValidationError as error:
            raise ServerFailed("Auth's answer is not as expected.") from error
        self._set(_session(answer))
        return self._signed_in()

    def _signed_in(self) -> Session:
        if self._session is None:
            raise NotSignedIn("This needs a signed-in user.", hint="Sign in and try again.")
        return self._session

    def _set(self, session: Session | None) -> None:
        self._session = session
        if self._on_session is not None:
            self._on_session(session)

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


def _session(answer: AuthResponse) -> Session:
    if answer.session is None:
        raise EmailNotConfirmed(
            "The e-mail address is not confirmed.", hint="Follow the link sent to it, then sign in."
        )
    user = answer.session.user
    return Session(
        access_token=answer.session.access_token,
        refresh_token=answer.session.refresh_token,
        # counted from now, so that a server whose clock differs does no harm
        expires_at=datetime.now(UTC) + timedelta(seconds=answer.session.expires_in),
        lifetime=answer.session.expires_in,
        user_id=uuid.UUID(user.id),
        email=user.email,
    )
