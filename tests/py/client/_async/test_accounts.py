"""Teams: making them, inviting, roles, leaving."""

from __future__ import annotations

import pytest

from vintner_client import AsyncVintner, errors
from vintner_client.models import Account, AccountRole


async def joined(ann: AsyncVintner, bob: AsyncVintner, role: AccountRole) -> Account:
    """A team of Ann's that Bob has joined."""
    team = await ann.accounts.create(name="Cellar")
    assert bob.auth.session is not None
    assert bob.auth.session.email is not None
    invitation = await ann.accounts.invite(team.id, email=bob.auth.session.email, role=role)
    token = invitation.token.get_secret_value()
    assert (await bob.accounts.accept_invitation(token=token)).role is role
    return team


async def test_a_team_is_made_renamed_and_deleted(ann: AsyncVintner, bob: AsyncVintner) -> None:
    team = await ann.accounts.create(name="Cellar")

    assert not team.is_personal
    assert await ann.accounts.get(team.id) == team
    assert [each.is_personal for each in await ann.accounts.list().all()].count(True) == 1
    assert await ann.accounts.list(name="Cellar").all() == [team]
    assert (await ann.accounts.rename(team.id, name="Press")).name == "Press"
    with pytest.raises(errors.NotFound):
        await bob.accounts.get(team.id)
    with pytest.raises(errors.InvalidInput):
        await ann.accounts.create(name="")
    await ann.accounts.delete(team.id)
    assert await ann.accounts.list(name="Press").first() is None
    own = await ann.accounts.list().first()
    assert own is not None
    with pytest.raises(errors.PersonalAccount):
        await ann.accounts.delete(own.id)


async def test_who_is_invited_joins_and_leaves(ann: AsyncVintner, bob: AsyncVintner) -> None:
    team = await joined(ann, bob, AccountRole.VIEWER)

    members = await bob.accounts.members(team.id).all()
    assert [each.role for each in members] == [AccountRole.OWNER, AccountRole.VIEWER]
    accepted = await ann.accounts.invitations(team.id).first()
    assert accepted is not None
    assert accepted.accepted_at is not None
    with pytest.raises(errors.NotAllowed):
        await bob.vineyards.create(name="theirs", account_id=team.id)
    raised = await ann.accounts.set_role(team.id, bob.auth.user_id, role=AccountRole.ADMIN)
    assert raised.role is AccountRole.ADMIN
    await bob.vineyards.create(name="theirs", account_id=team.id)
    with pytest.raises(errors.AccountNeedsOwner):
        await ann.accounts.remove_member(team.id, ann.auth.user_id)
    await bob.accounts.remove_member(team.id, bob.auth.user_id)
    with pytest.raises(errors.NotFound):
        await bob.accounts.get(team.id)


async def test_an_invitation_is_for_one_person_and_may_be_taken_back(
    ann: AsyncVintner, bob: AsyncVintner
) -> None:
    team = await ann.accounts.create(name="Cellar")
    other = await ann.accounts.invite(
        team.id, email="somebody@example.com", role=AccountRole.VIEWER
    )
    token = other.token.get_secret_value()
    assert token not in repr(other)
    with pytest.raises(errors.InvitationNotYours):
        await bob.accounts.accept_invitation(token=token)
    await ann.accounts.revoke_invitation(other.invitation_id)
    with pytest.raises(errors.InvitationUnknown):
        await bob.accounts.accept_invitation(token=token)
    assert await ann.accounts.invitations(team.id).all() == []


async def test_a_team_gets_another_owner(ann: AsyncVintner, bob: AsyncVintner) -> None:
    team = await joined(ann, bob, AccountRole.OPERATOR)

    with pytest.raises(errors.NotAllowed):
        await bob.accounts.transfer_ownership(team.id, bob.auth.user_id)
    await ann.accounts.transfer_ownership(team.id, bob.auth.user_id)
    roles = {each.user_id: each.role async for each in ann.accounts.members(team.id)}
    assert roles == {ann.auth.user_id: AccountRole.ADMIN, bob.auth.user_id: AccountRole.OWNER}


async def test_production_waits_for_another_admin(ann: AsyncVintner, bob: AsyncVintner) -> None:
    team = await joined(ann, bob, AccountRole.ADMIN)
    vineyard = await ann.vineyards.create(name="prod", account_id=team.id)
    strict = await ann.vineyards.update(vineyard.id, requires_approval=True)
    assert strict.requires_approval
    identity = await ann.identities.create(provider="local", name="x", account_id=team.id)
    vine = await ann.vines.plant(
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
        await ann.vines.harvest(vine.id)
    plan = await ann.vines.plan(vine.id)
    with pytest.raises(errors.PlanUnusable):
        await ann.vines.harvest(vine.id, plan_job_id=plan.id)
    with pytest.raises(errors.ApprovalNotWanted):
        await bob.jobs.approve(plan.id)
    with pytest.raises(errors.ApprovalNotWanted):
        await bob.jobs.reject(plan.id, reason="not now")
