"""Who belongs together, and in which role."""

from __future__ import annotations

from uuid import UUID

from pydantic import AwareDatetime, SecretStr

from vintner_client.models.base import Record
from vintner_client.models.vocabulary import AccountRole


class Account(Record):
    """A team, or one person."""

    id: UUID
    name: str
    personal_user_id: UUID | None
    created_at: AwareDatetime
    updated_at: AwareDatetime

    @property
    def is_personal(self) -> bool:
        """Whether it is one person's own."""
        return self.personal_user_id is not None


class Membership(Record):
    """That a user belongs to an account."""

    account_id: UUID
    user_id: UUID
    role: AccountRole
    created_at: AwareDatetime


class Invitation(Record):
    """That an e-mail address is asked to join an account."""

    id: UUID
    account_id: UUID
    email: str
    role: AccountRole
    invited_by: UUID
    created_at: AwareDatetime
    expires_at: AwareDatetime
    accepted_at: AwareDatetime | None


class NewInvitation(Record):
    """A new invitation with its token, which is shown this once."""

    invitation_id: UUID
    token: SecretStr
    expires_at: AwareDatetime
