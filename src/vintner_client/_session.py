"""A signed-in user, as it is kept between processes."""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, SecretStr, ValidationError

from vintner_client.errors import EmailNotConfirmed, ServerFailed, WrongCredentials

if TYPE_CHECKING:
    from supabase_auth.types import AuthResponse

    from vintner_client._storage import Storage

log = logging.getLogger(__name__)

MARGIN = timedelta(seconds=60)
TENDRIL_TOKEN = re.compile(r"vt_([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})_[A-Za-z0-9_-]{16,}")


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

    # what does not parse may hold a token; built on first use: that takes a tenth of an import
    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True, hide_input_in_errors=True, defer_build=True
    )

    access_token: str = Field(repr=False)
    refresh_token: str = Field(repr=False)
    expires_at: AwareDatetime
    lifetime: float
    user_id: uuid.UUID
    email: str | None = None

    @property
    def stale_at(self) -> datetime:
        """When the access token is to be renewed: a minute, or a quarter of it, is left."""
        return self.expires_at - min(MARGIN, timedelta(seconds=self.lifetime / 4))

    def has_ended(self) -> bool:
        """Whether the access token holds no longer."""
        return datetime.now(UTC) >= self.expires_at

    def is_stale(self) -> bool:
        """Whether the access token is to be renewed."""
        return datetime.now(UTC) >= self.stale_at


class TendrilToken:
    """What a Tendril signs in with: `vt_<worker id>_<secret>`.

    Args:
        token: as `tendrils.register` showed it.

    Attributes:
        worker_id: which Tendril's.
        email: Auth's name for it.
        password: what it proves itself with: all of the token.

    Raises:
        WrongCredentials: it is not such a token.
    """

    def __init__(self, token: str | SecretStr) -> None:
        self.password = SecretStr(token) if isinstance(token, str) else token
        found = TENDRIL_TOKEN.fullmatch(self.password.get_secret_value())
        if not found:
            raise token_refused()
        self.worker_id = uuid.UUID(found[1])
        self.email = f"{found[1]}@tendril.invalid"


def token_refused() -> WrongCredentials:
    """What is said of a Tendril's token that is none, or holds no longer."""
    return WrongCredentials(
        "The Tendril's token is not accepted.",
        hint="Register the Tendril anew: grape tendril register NAME.",
        code="invalid_credentials",
    )


class KeptSession:
    """The session of a project as its storage has it, which other processes may share.

    Who signs in is told of a storage that fails, by whatever it raises. After that it is logged:
    requests go on with the session that this process has.

    Args:
        storage: where it is.
        url: the project's URL.
    """

    def __init__(self, storage: Storage, url: str) -> None:
        self._storage = storage
        self._key = f"session {url}"

    def load(self) -> Session | None:
        """The session, or None where there is none that can be read."""
        text = self._storage.get_item(self._key)
        try:
            return None if text is None else Session.model_validate_json(text)
        except ValidationError:
            return None

    def save(self, session: Session) -> None:
        """Keeps a session, whoever's was kept."""
        self._storage.set_item(self._key, session.model_dump_json())

    def newer_than(self, session: Session) -> Session | None:
        """The same user's session that another process has renewed meanwhile, if one has."""
        kept = None
        with _telling_of_failures():
            kept = self.load()
        is_newer = (
            kept is not None
            and kept.user_id == session.user_id
            and kept.expires_at > session.expires_at
        )
        return kept if is_newer else None

    def renew(self, session: Session) -> None:
        """Keeps a renewed session, unless somebody else has signed in meanwhile."""
        with _telling_of_failures():
            if not self._is_of_another(session):
                self.save(session)

    def forget(self, session: Session) -> None:
        """Forgets a session that ended, unless somebody else has signed in meanwhile."""
        with _telling_of_failures():
            if not self._is_of_another(session):
                self._storage.remove_item(self._key)

    def _is_of_another(self, session: Session) -> bool:
        kept = self.load()
        return kept is not None and kept.user_id != session.user_id


@contextmanager
def _telling_of_failures() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        log.warning("the session's storage failed, and what is kept there is old: %r", error)


@contextmanager
def understanding_auth() -> Iterator[None]:
    """Where Auth's answers are read.

    Raises:
        ServerFailed: one is not of its protocol.
    """
    from supabase_auth.errors import AuthError

    try:
        yield
    except (AuthError, ValueError) as error:
        # not from the error, which quotes the answer and so tokens
        raise ServerFailed(f"Auth's answer is not as expected ({type(error).__name__}).") from None


def session_from(answer: AuthResponse) -> Session:
    """The session that an answer of Auth brings.

    Raises:
        EmailNotConfirmed: it brings none yet.
    """
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
