"""Which rows a live store shows; the fields are those of the `list` methods.

A field that is None asks for nothing. Where a field takes several values, one of them is enough.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from uuid import UUID

from vintner_client._parsing import as_uuid
from vintner_client.models.vocabulary import JobStatus, JobType, WorkerStatus


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Base of all of them.

    Raises:
        InvalidInput: what is given for an id is none.
    """

    def __post_init__(self) -> None:
        """Takes ids as texts too."""
        for each in fields(self):
            value = getattr(self, each.name)
            if each.name.endswith("_id") and value is not None:
                object.__setattr__(self, each.name, as_uuid(value))

    def test(self) -> Callable[[object], bool]:
        """A function that says whether a row is one of those that are wanted."""
        wanted = [
            (each.name, _texts(values))
            for each in fields(self)
            if (values := getattr(self, each.name)) is not None
        ]
        return lambda row: all(str(getattr(row, name)) in texts for name, texts in wanted)


@dataclass(frozen=True, kw_only=True)
class JobFilter(Filter):
    """Which jobs.

    Attributes:
        vine_id: of this vine.
        vineyard_id: of this vineyard's vines.
        status: of this status, or of one of several.
        job_type: of this type, or of one of several.
    """

    vine_id: UUID | str | None = None
    vineyard_id: UUID | str | None = None
    status: JobStatus | Sequence[JobStatus] | None = None
    job_type: JobType | Sequence[JobType] | None = None


@dataclass(frozen=True, kw_only=True)
class TendrilFilter(Filter):
    """Which Tendrils.

    Attributes:
        name: of this name.
        status: of this status, or of one of several.
    """

    name: str | None = None
    status: WorkerStatus | Sequence[WorkerStatus] | None = None


@dataclass(frozen=True, kw_only=True)
class VineyardFilter(Filter):
    """Which vineyards.

    Attributes:
        name: of this name.
        account_id: of this account.
    """

    name: str | None = None
    account_id: UUID | str | None = None


def _texts(values: object) -> set[str]:
    """One value or several, as texts."""
    if isinstance(values, Sequence) and not isinstance(values, str):
        return {str(each) for each in values}
    return {str(values)}
