"""Which rows a live store shows; the fields are those of the `list` methods.

A field that is None asks for nothing. Where a field takes several values, one of them is enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from uuid import UUID

from vintner_client.models.vocabulary import JobStatus, JobType, WorkerStatus


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Base of all of them."""

    def matches(self, row: object) -> bool:
        """Whether a row is one of those that are wanted."""
        return all(
            _is_one_of(getattr(row, each.name), wanted)
            for each in fields(self)
            if (wanted := getattr(self, each.name)) is not None
        )


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


def _is_one_of(value: object, wanted: object) -> bool:
    """Whether a value is the one that is wanted, or one of them; ids may be texts."""
    if isinstance(wanted, Sequence) and not isinstance(wanted, str):
        return any(_is_one_of(value, each) for each in wanted)
    return str(value) == str(wanted)
