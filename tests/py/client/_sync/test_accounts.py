# Made by scripts/generate_sync.py from tests/py/client/_async/test_accounts.py: run `make sync`.
"""Teams: making them, inviting, roles, leaving."""

from __future__ import annotations

import pytest

from vintner_client import Vintner, errors
from vintner_client.models import Account, AccountRole


def joined(ann: Vintner, bob: Vintner, role: AccountRole) -> Account:
    """A team of Ann's that Bob has joined."""
    team = ann.accounts.create(name="Cellar")
    assert bob.auth.session is not None
    assert bob.auth.session.email is not None
    invitation = ann.accounts.invite(team.id, email=bob.auth.session.email, role=role)
    token = invitation.token.get_secret_value()
    assert (bob.accounts.accept_invitation(token=token)).role is role
    return team


def test_a_team_is_made_renamed_and_deleted(ann: Vintner, bob: Vintner) -> None:
    team = ann.accounts.create(name="Cellar")

    assert not team.is_personal
    assert ann.accounts.get(team.id) == team
    assert [each.is_personal for each in ann.accounts.list().all()].count(True) == 1
    assert ann.accounts.list(name="Cellar").all() == [team]
    assert (ann.accounts.rename(team.id, name="Press")).name == "Press"
    with pytest.raises(errors.NotFound):
        bob.accounts.get(team.id)
    with pytest.raises(errors.InvalidInput):
        ann.accounts.create(name="")
    ann.accounts.delete(team.id)
    assert ann.accounts.list(name="Press").first() is None
    own = ann.accounts.list().first()
    assert own is not None
    with pytest.raises(errors.PersonalAccount):
        ann.accounts.delete(own.id)


def test_who_is_invited_joins_and_leaves(ann: Vintner, bob: Vintner) -> None:
    team = joined(ann, bob, AccountRole.VIEWER)

    members = bob.accounts.members(team.id).all()
    assert [each.role for each in members] == [AccountRole.OWNER, AccountRole.VIEWER]
    accepted = ann.accounts.invitations(team.id).first()
    assert accepted is not None
    assert accepted.accepted_at is not None
    with pytest.raises(errors.NotAllowed):
        bob.vineyards.create(name="theirs", account_id=team.id)
    raised = ann.accounts.set_role(team.id, bob.auth.user_id, role=AccountRole.ADMIN)
    assert raised.role is AccountRole.ADMIN
    bob.vineyards.create(name="theirs", account_id=team.id)
    with pytest.raises(errors.AccountNeedsOwner):
        ann.accounts.remove_member(team.id, ann.auth.user_id)
    bob.accounts.remove_member(team.id, bob.auth.user_id)
    with pytest.raises(errors.NotFound):
        bob.accounts.get(team.id)


def test_an_invitation_is_for_one_person_and_may_be_taken_back(ann: Vintner, bob: Vintner) -> None:
    team = ann.accounts.create(name="Cellar")
    other = ann.accounts.invite(team.id, email="somebody@example.com", role=AccountRole.VIEWER)
    token = other.token.get_secret_value()
    assert token not in repr(other)
    with pytest.raises(errors.InvitationNotYours):
        bob.accounts.accept_invitation(token=token)
    ann.accounts.revoke_invitation(other.invitation_id)
    with pytest.raises(errors.InvitationUnknown):
        bob.accounts.accept_invitation(token=token)
    assert ann.accounts.invitations(team.id).all() == []


def test_a_team_gets_another_owner(ann: Vintner, bob: Vintner) -> None:
    team = joined(ann, bob, AccountRole.OPERATOR)

    with pytest.raises(errors.NotAllowed):
        bob.accounts.transfer_ownership(team.id, bob.auth.user_id)
    ann.accounts.transfer_ownership(team.id, bob.auth.user_id)
    roles = {each.user_id: each.role for each in ann.accounts.members(team.id)}
    assert roles == {ann.auth.user_id: AccountRole.ADMIN, bob.auth.user_id: AccountRole.OWNER}


def test_production_waits_for_another_admin(ann: Vintner, bob: Vintner) -> None:
    team = joined(ann, bob, AccountRole.ADMIN)
    vineyard = ann.vineyards.create(name="prod", account_id=team.id)
    strict = ann.vineyards.update(vineyard.id, requires_approval=True)
    assert strict.requires_approval
    identity = ann.identities.create(provider="local", name="x", account_id=team.id)
    vine = ann.vines.plant(
        {
            "vineyard_id": vineyard.id,
            "cloud_identity_id": identity.id,
            "project_name": "shop",
            "environment_stage": "production",
            "region": "eu-west-1",
            "network": {},
        }
    )

    with pytest.raises(errors.PlanRequired):
        ann.vines.harvest(vine.id)
    plan = ann.vines.plan(vine.id)
    with pytest.raises(errors.PlanUnusable):
        ann.vines.harvest(vine.id, plan_job_id=plan.id)
    with pytest.raises(errors.ApprovalNotWanted):
        bob.jobs.approve(plan.id)
    with pytest.raises(errors.ApprovalNotWanted):
        bob.jobs.reject(plan.id, reason="not now")
