"""Putting chunks in order."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from vintner_client._live.logs import Merge
from vintner_client.models import LogChunk, StreamType


def chunk(seq: int) -> LogChunk:
    return LogChunk(
        job_id=UUID(int=1),
        seq=seq,
        log_chunk=f"{seq}\n",
        stream_type=StreamType.STDOUT,
        created_at=datetime.now(UTC),
    )


@given(st.data())
def test_every_chunk_comes_out_once_and_in_order(data: st.DataObject) -> None:
    count = data.draw(st.integers(0, 30))
    from_seq = data.draw(st.integers(0, 35))
    every = list(range(1, count + 1))
    # any order, any repetition, in batches of any size
    arrivals = data.draw(
        st.permutations(every + data.draw(st.lists(st.sampled_from(every or [1]))))
    )
    merge = Merge(from_seq)

    out = []
    while arrivals:
        size = data.draw(st.integers(1, len(arrivals)))
        out += merge.add(chunk(seq) for seq in arrivals[:size] if seq <= count)
        arrivals = arrivals[size:]

    assert [c.seq for c in out] == [seq for seq in every if seq >= from_seq]
    assert not merge.has_hole


def test_a_hole_holds_back_what_follows_it() -> None:
    merge = Merge(0)

    assert [c.seq for c in merge.add([chunk(1), chunk(3), chunk(4)])] == [1]
    assert merge.has_hole
    assert [c.seq for c in merge.add([chunk(2)])] == [2, 3, 4]


def test_what_is_behind_a_hole_that_stays_is_not_lost() -> None:
    merge = Merge(0)
    merge.add([chunk(5), chunk(3)])

    assert [c.seq for c in merge.rest()] == [3, 5]
