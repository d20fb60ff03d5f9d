"""How people name things: by id or by name, and what they are told when that is not enough."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar
from uuid import UUID

from grape.errors import GrapeError

if TYPE_CHECKING:
    from vintner_client import AsyncVintner
    from vintner_client.models import CloudIdentity, Job, Vine, Vineyard


class HasId(Protocol):
    """Anything that can be named by id."""

    @property
    def id(self) -> UUID: ...


Thing = TypeVar("Thing", bound=HasId)


async def vine_named(client: AsyncVintner, name: str) -> Vine:
    """The vine of an id, a `project` or a `project/stage`.

    Raises:
        GrapeError: none, or more than one, has the name.
    """
    from vintner_client.models import EnvironmentStage, VineStatus

    if vine_id := as_id(name):
        return await client.vines.get(vine_id)
    project, _, stage = name.partition("/")
    if stage and stage not in list(EnvironmentStage):
        raise GrapeError(f'There is no stage "{stage}".', f"Stages: {', '.join(EnvironmentStage)}.")
    found = await client.vines.list(
        project_name=project, environment_stage=EnvironmentStage(stage) if stage else None
    ).all()
    # a destroyed vine is a record: it does not stand in the way of one that took its place
    found = [vine for vine in found if vine.status is not VineStatus.DESTROYED] or found
    if len(found) > 1 and len({vine.label for vine in found}) == len(found):
        labels = ", ".join(vine.label for vine in found)
        raise GrapeError(f'"{name}" names {len(found)} vines.', f"Say which: {labels}.")
    return _only(found, "vine", name, "grape status lists them.")


async def vineyard_named(client: AsyncVintner, name: str) -> Vineyard:
    """The vineyard of an id or a name."""
    return await _named(
        name,
        client.vineyards.get,
        lambda: client.vineyards.list(name=name).all(),
        "vineyard",
        "grape vineyard list shows them.",
    )


async def identity_named(client: AsyncVintner, name: str) -> CloudIdentity:
    """The cloud identity of an id or a name."""
    return await _named(
        name,
        client.identities.get,
        lambda: client.identities.list(name=name).all(),
        "cloud identity",
        "grape identity list shows them.",
    )


async def job_named(client: AsyncVintner, name: str) -> Job:
    """The job of an id, or the newest one of the vine of that name.

    Raises:
        GrapeError: no such job or vine, or the vine has had no job.
    """
    from vintner_client.errors import NotFound

    named_id = as_id(name)
    if named_id:
        try:
            return await client.jobs.get(named_id)
        except NotFound:
            pass  # then it is a vine's
    try:
        vine = await vine_named(client, name)
    except NotFound:
        raise GrapeError(
            f"There is no job and no vine {name}.", "grape status lists them."
        ) from None
    newest = await client.jobs.list(vine_id=vine.id).first()
    if newest is None:
        raise GrapeError(f"{vine.label} has had no job.", f"Start one with: grape plan {name}")
    return newest


def as_id(name: str) -> UUID | None:
    """The id that a name is, or None."""
    try:
        return UUID(name)
    except ValueError:
        return None


async def _named(
    name: str,
    get: Callable[[UUID], Awaitable[Thing]],
    find: Callable[[], Awaitable[Sequence[Thing]]],
    what: str,
    hint: str,
) -> Thing:
    named_id = as_id(name)
    if named_id:
        return await get(named_id)
    return _only(await find(), what, name, hint)


def _only(found: Sequence[Thing], what: str, name: str, hint: str) -> Thing:
    if not found:
        raise GrapeError(f'There is no {what} "{name}".', hint)
    if len(found) > 1:
        ids = ", ".join(str(thing.id) for thing in found)
        raise GrapeError(f'"{name}" names {len(found)} of them.', f"Say which by id: {ids}.")
    return found[0]
