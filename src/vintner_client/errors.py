"""Everything that this library raises: one class per meaning, all under `VintnerError`.

Errors of Vintner's own rules carry the machine code that the database keeps in
`private.error_codes`; the class follows from the code, so that callers never compare texts.
"""

from __future__ import annotations

import re


class VintnerError(Exception):
    """Base of every error of this library.

    Attributes:
        message: what is wrong, for people.
        hint: what to do next; may be empty.
        code: the rule's machine code (`vine_busy`), PostgreSQL's, PostgREST's or Auth's own, or
            `http_` and the status of an answer that has none; what this library finds itself is
            coded by the class (`connection_failed`).
        status: the HTTP status of the answer; None where there was no answer.
        request_id: what the server calls the request in its own logs, where it says so.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        code: str | None = None,
        status: int | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code: str = code or re.sub(r"(?<!^)(?=[A-Z])", "_", type(self).__name__).lower()
        self.status = status
        self.request_id = request_id

    def __str__(self) -> str:
        """All of it in one line."""
        known = {"code": self.code, "status": self.status, "request": self.request_id}
        details = ", ".join(f"{name} {value}" for name, value in known.items() if value is not None)
        text = f"{self.message} {self.hint} {f'({details})' if details else ''}"
        return " ".join(text.split())


class ConnectionFailed(VintnerError):
    """No answer: the stack is not running, or the network is down or too slow."""


class ClientClosed(VintnerError):
    """The client has been closed and can ask nothing more."""


class ServerFailed(VintnerError):
    """The server failed (5xx), or answered something that is not of its protocol."""


class RateLimited(VintnerError):
    """Too many requests (429)."""


class WrongKey(VintnerError):
    """The API key is missing or is not one of this project's (401 of the gateway)."""


class SchemaMissing(VintnerError):
    """The project has no such table or function: Vintner's migrations are missing or old."""


class NotSignedIn(VintnerError):
    """No session, or one that has ended (401)."""


class WrongCredentials(NotSignedIn):
    """Auth knows no such e-mail and password, or no such Tendril token."""


class EmailNotConfirmed(NotSignedIn):
    """The user exists, but has to confirm the e-mail address before signing in."""


class NotAllowed(VintnerError):
    """The caller's role does not allow it (403)."""


class NotFound(VintnerError):
    """No such thing, or none that the caller may see (404)."""


class InvalidInput(VintnerError):
    """A value that is not accepted (400, 422)."""


class Conflict(VintnerError):
    """It cannot be done in the present state of things (409)."""


class IllegalTransition(Conflict):
    """A vine, component or job cannot move from its status to the one asked for."""


class AccountNeedsOwner(Conflict):
    """The account would be without an owner."""


class PersonalAccount(Conflict):
    """A personal account takes no other owner and stays as long as its user."""


class AlreadyMember(Conflict):
    """Who is invited belongs to the account already."""


class InvitationUnknown(NotFound):
    """No such invitation: a wrong token, or one that was revoked or replaced."""


class InvitationExpired(Conflict):
    """The invitation is too old (410)."""


class InvitationUsed(Conflict):
    """The invitation has been accepted already."""


class InvitationNotYours(NotAllowed):
    """The invitation is for another e-mail address, or the caller's is not confirmed."""


class VineBusy(Conflict):
    """The vine has an unfinished job that changes it."""


class VineDestroyed(Conflict):
    """The vine is DESTROYED and stays as a record."""


class VineExists(Conflict):
    """The vineyard has a live vine of this project name and stage already."""


class VineNotDestroyable(Conflict):
    """The vine has no resources to destroy."""


class VineNotDeletable(Conflict):
    """The vine's resources may exist: it is to be destroyed, not deleted."""


class VineFixed(Conflict):
    """A vine's name, stage, region and vineyard change only while it is DRAFT."""


class DestroyProtected(Conflict):
    """A production vine is destroyed only by repeating its project name."""


class CloudIdentityMissing(Conflict):
    """The vine has no cloud identity to run in."""


class CloudIdentityInUse(Conflict):
    """A vine runs, or ran, in the cloud identity: it stays."""


class CloudIdentityBusy(Conflict):
    """A job of the cloud identity has not ended."""


class IdempotencyKeyReused(Conflict):
    """The idempotency key stands for another request."""


class JobEnded(Conflict):
    """The job has ended; nothing more can be done to it."""


class JobNotRetryable(Conflict):
    """Only a job that FAILED or was CANCELLED runs again."""


class JobNotForceable(Conflict):
    """The job is to be asked to stop, and waited for, before it is ended by force."""


class ApprovalNotWanted(Conflict):
    """The job waits for no approval: it needs none, has it, runs or has ended."""


class ApprovalNeedsAnother(NotAllowed):
    """Who asked for a job or planned it does not approve it."""


class ApprovalWithdrawn(Conflict):
    """Who approved the job is no admin any more, so it does not start."""


class ApproverMissing(Conflict):
    """The account has no other admin who could approve the job."""


class PlanRequired(Conflict):
    """A DEPLOY that is to be approved names the PLAN whose saved plan it applies."""


class PlanUnusable(Conflict):
    """The PLAN has no saved plan, or one that has expired or been overtaken."""


class LeaseLost(Conflict):
    """The Tendril no longer holds the job."""


class WorkerExists(Conflict):
    """The owner has a Tendril of this name that is not removed."""


class WorkerUnavailable(Conflict):
    """The Tendril is not ONLINE and may claim nothing."""


class Undecryptable(Conflict):
    """What is stored encrypted cannot be read; it is to be written anew."""


class EncryptionKeyMissing(Conflict):
    """Vault does not hold the key that is to encrypt: it was not restored with the database."""


class EncryptionKeyInUse(Conflict):
    """An encryption key is not retired while anything is encrypted under it."""


class TooLarge(InvalidInput):
    """More than the database takes at once (413)."""


class StateConflict(Conflict):
    """The Terraform state is newer than, or not the one, that was to be written."""


BY_CODE: dict[str, type[VintnerError]] = {
    "not_signed_in": NotSignedIn,
    "not_found": NotFound,
    "not_allowed": NotAllowed,
    "invalid_input": InvalidInput,
    "illegal_transition": IllegalTransition,
    "account_needs_owner": AccountNeedsOwner,
    "personal_account": PersonalAccount,
    "already_member": AlreadyMember,
    "invitation_unknown": InvitationUnknown,
    "invitation_expired": InvitationExpired,
    "invitation_used": InvitationUsed,
    "invitation_not_yours": InvitationNotYours,
    "vine_busy": VineBusy,
    "vine_destroyed": VineDestroyed,
    "vine_exists": VineExists,
    "vine_not_destroyable": VineNotDestroyable,
    "vine_not_deletable": VineNotDeletable,
    "vine_fixed": VineFixed,
    "destroy_protected": DestroyProtected,
    "cloud_identity_missing": CloudIdentityMissing,
    "cloud_identity_in_use": CloudIdentityInUse,
    "cloud_identity_busy": CloudIdentityBusy,
    "idempotency_key_reused": IdempotencyKeyReused,
    "job_ended": JobEnded,
    "job_not_retryable": JobNotRetryable,
    "job_not_forceable": JobNotForceable,
    "approval_not_wanted": ApprovalNotWanted,
    "approval_needs_another": ApprovalNeedsAnother,
    "approval_withdrawn": ApprovalWithdrawn,
    "approver_missing": ApproverMissing,
    "plan_required": PlanRequired,
    "plan_unusable": PlanUnusable,
    "lease_lost": LeaseLost,
    "worker_exists": WorkerExists,
    "worker_unavailable": WorkerUnavailable,
    "audit_append_only": NotAllowed,
    "undecryptable": Undecryptable,
    "too_large": TooLarge,
    "state_conflict": StateConflict,
    "encryption_key_missing": EncryptionKeyMissing,
    "encryption_key_in_use": EncryptionKeyInUse,
}
"""The class of each code of `private.error_codes`."""
