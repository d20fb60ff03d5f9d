# Made by scripts/generate_sync.py from src/vintner_client/_async/resources/accounts.py: run `make sync`.
"""Accounts: teams, who belongs to them, and who is asked to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal
from uuid import UUID

from vintner_client._parsing import as_uuid, parse
from vintner_client._query import Query, equals
from vintner_client._sync.resources.base import SyncResource
from vintner_client._sync.rows import SyncRows
from vintner_client.models import Account, AccountRole, Invitation, Membership, NewInvitation

COLUMNS = "id,account_id,email,role,invited_by,created_at,expires_at,accepted_at"

Order = Literal["name", "-name", "created_at", "-created_at"]
TimeOrder = Literal["created_at", "-created_at"]


class SyncAccounts(SyncResource):
    """`client.accounts`."""

    def create(self, *, name: str) -> Account:
        """Makes a team, owned by the caller.

        Args:
            name: the team's name.

        Raises:
            InvalidInput: the name is empty.
        """
        return parse(Account, self._transport.rpc("create_account", name=name))

    def list(self, *, name: str | None = None, order: Order = "name") -> SyncRows[Account]:
        """The accounts that the caller belongs to.

        Args:
            name: only those of this name.
            order: by what; a minus before it descends.
        """
        return self._rows(Account, Query("accounts", equals(name=name), (order, "id")))

    def get(self, account_id: UUID | str, /) -> Account:
        """The account of an id.

        Args:
            account_id: the account.

        Raises:
            NotFound: there is none that the caller belongs to.
        """
        return self._one(Account, "accounts", account_id, "account")

    def rename(self, account_id: UUID | str, /, *, name: str) -> Account:
        """Gives an account another name. For admins.

        Args:
            account_id: the account.
            name: its new name.

        Raises:
            NotAllowed: the caller's role does not allow it.
            NotFound: there is none that the caller belongs to.
        """
        return self._update(Account, "accounts", account_id, "account", {"name": name})

    def delete(self, account_id: UUID | str, /) -> None:
        """Deletes a team with its vineyards, vines and identities. For owners.

        Args:
            account_id: the team.

        Raises:
            PersonalAccount: it is a person's own.
            VineNotDeletable: resources of a vine in it may exist.
            NotAllowed: the caller's role does not allow it.
        """
        self._transport.rpc("delete_account", account_id=str(as_uuid(account_id)))

    def members(
        self,
        account_id: UUID | str,
        /,
        *,
        role: AccountRole | Sequence[AccountRole] | None = None,
        order: TimeOrder = "created_at",
    ) -> SyncRows[Membership]:
        """Who belongs to an account, by when they joined.

        Args:
            account_id: the account.
            role: only those of this role, or of one of several.
            order: by time; a minus before it puts the newest first.
        """
        filters = equals(account_id=as_uuid(account_id), role=role)
        query = Query("accounts_memberships", filters, (order, "user_id"))
        return self._rows(Membership, query)

    def set_role(
        self, account_id: UUID | str, user_id: UUID | str, /, *, role: AccountRole
    ) -> Membership:
        """Changes a member's role; neither the old nor the new one may be above the caller's.

        Args:
            account_id: the account.
            user_id: the member.
            role: the member's new role.

        Raises:
            AccountNeedsOwner: it would be without an owner.
            NotAllowed: the caller's role does not allow it.
        """
        answer = self._transport.rpc(
            "set_member_role",
            account_id=str(as_uuid(account_id)),
            user_id=str(as_uuid(user_id)),
            role=role,
        )
        return parse(Membership, answer)

    def remove_member(self, account_id: UUID | str, user_id: UUID | str, /) -> None:
        """Removes a member; everybody may leave.

        Args:
            account_id: the account.
            user_id: the member.

        Raises:
            AccountNeedsOwner: it would be without an owner.
            NotAllowed: the caller's role does not allow it.
        """
        self._transport.rpc(
            "remove_member", account_id=str(as_uuid(account_id)), user_id=str(as_uuid(user_id))
        )

    def transfer_ownership(self, account_id: UUID | str, user_id: UUID | str, /) -> None:
        """Makes another member the owner in the caller's place, who stays as an admin.

        Args:
            account_id: the team.
            user_id: the member who becomes the owner.

        Raises:
            PersonalAccount: it is a person's own.
            NotAllowed: the caller is no owner.
        """
        self._transport.rpc(
            "transfer_ownership",
            account_id=str(as_uuid(account_id)),
            user_id=str(as_uuid(user_id)),
        )

    def invite(self, account_id: UUID | str, /, *, email: str, role: AccountRole) -> NewInvitation:
        """Invites an e-mail address; its token is shown this once and good for 7 days. For admins.

        Args:
            account_id: a team.
            email: who is invited; an earlier invitation of it is replaced.
            role: not above the caller's.

        Raises:
            AlreadyMember: who has this address belongs to the account.
            PersonalAccount: it is a person's own, and the role is owner.
            NotAllowed: the caller's role does not allow it.
        """
        answer = self._transport.rpc(
            "invite_member", account_id=str(as_uuid(account_id)), email=email, role=role
        )
        return parse(NewInvitation, answer)

    def invitations(
        self,
        account_id: UUID | str,
        /,
        *,
        email: str | None = None,
        order: TimeOrder = "created_at",
    ) -> SyncRows[Invitation]:
        """Who was invited to an account, the oldest first. For admins; others see none.

        Args:
            account_id: the account.
            email: only those for this e-mail address.
            order: by time; a minus before it puts the newest first.
        """
        filters = equals(account_id=as_uuid(account_id), email=email)
        query = Query("accounts_invitations", filters, (order, "id"), COLUMNS)
        return self._rows(Invitation, query)

    def accept_invitation(self, *, token: str) -> Membership:
        """Joins the account that an invitation is for.

        Args:
            token: as `invite` gave it.

        Raises:
            InvitationUnknown: there is none of this token.
            InvitationExpired: it is too old.
            InvitationUsed: it was accepted already.
            InvitationNotYours: it is for another e-mail address.
        """
        return parse(Membership, self._transport.rpc("accept_invitation", token=token))

    def revoke_invitation(self, invitation_id: UUID | str, /) -> None:
        """Takes an invitation back. For admins whose role is not below the invitation's.

        Args:
            invitation_id: the invitation.

        Raises:
            NotFound: there is none that the caller may see.
        """
        found = str(as_uuid(invitation_id))
        self._transport.rpc("revoke_invitation", invitation_id=found)
