"""The job logger against a control plane that is away, slow, or refuses."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from support.waiting import until
from tendril import job_logger, outage
from tendril.job_logger import JobLogger
from tendril.outage import Outages
from vintner_client.errors import (
    ConnectionFailed,
    InvalidInput,
    LeaseLost,
    ServerFailed,
    VintnerError,
)
from vintner_client.models import NewLogChunk, StreamType


class Receiver:
    """Takes chunks; fails with `error` while it is set, after taking them if `after` is."""

    def __init__(self) -> None:
        self.chunks: dict[int, NewLogChunk] = {}
        self.calls: list[float] = []
        self.error: VintnerError | None = None

    async def __call__(self, chunks: Sequence[NewLogChunk]) -> None:
        self.calls.append(asyncio.get_running_loop().time())
        if self.error is not None:
            raise self.error
        for chunk in chunks:
            self.chunks.setdefault(chunk.seq, chunk)

    @property
    def text(self) -> str:
        assert list(self.chunks) == sorted(self.chunks)
        return "".join(chunk.log_chunk for chunk in self.chunks.values())


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def logger(receiver: Receiver, tmp_path: Path) -> JobLogger:
    return JobLogger(receiver, tmp_path / "spool", 7, ["the-secret"], Outages())


async def test_the_first_line_goes_at_once_and_the_next_ones_together(
    receiver: Receiver, logger: JobLogger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_logger, "FLUSH_SECONDS", 0.3)
    async with logger:
        logger.say("first")
        await until(lambda: receiver.text == "first\n")
        for number in range(5):
            logger.write(StreamType.STDOUT, f"line {number}\n")
            await asyncio.sleep(0.01)
        assert len(receiver.chunks) == 1
        await until(lambda: len(receiver.chunks) == 2)
        assert receiver.calls[1] - receiver.calls[0] >= 0.25
    assert [chunk.seq for chunk in receiver.chunks.values()] == [7, 8]
    assert receiver.chunks[8].log_chunk == "".join(f"line {n}\n" for n in range(5))


async def test_tendrils_own_lines_do_not_wait(receiver: Receiver, logger: JobLogger) -> None:
    async with logger:
        logger.say("one")
        await until(lambda: receiver.text == "one\n", 1)
        logger.say("two")
        await until(lambda: receiver.text == "one\ntwo\n", 1)


async def test_much_output_does_not_wait_and_is_cut_into_chunks(
    receiver: Receiver, logger: JobLogger
) -> None:
    long = "é" * 25_000 + "\n"
    async with logger:
        logger.say("first")
        await until(lambda: receiver.chunks)
        logger.write(StreamType.STDOUT, long)
        await until(lambda: receiver.text == "first\n" + long)
    assert max(len(chunk.log_chunk) for chunk in receiver.chunks.values()) == 10_000


async def test_streams_keep_their_order(receiver: Receiver, logger: JobLogger) -> None:
    async with logger:
        for stream in (StreamType.STDOUT, StreamType.STDERR, StreamType.STDOUT):
            logger.write(stream, "a\n")
            logger.write(stream, "b\0\n")
    assert [(chunk.stream_type, chunk.log_chunk) for chunk in receiver.chunks.values()] == [
        ("STDOUT", "a\nb\N{REPLACEMENT CHARACTER}\n"),
        ("STDERR", "a\nb\N{REPLACEMENT CHARACTER}\n"),
        ("STDOUT", "a\nb\N{REPLACEMENT CHARACTER}\n"),
    ]


async def test_chunks_wait_while_the_api_is_away(
    receiver: Receiver, logger: JobLogger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outage, "FIRST_DELAY", 0.02)
    monkeypatch.setattr(outage, "LONGEST_DELAY", 0.02)
    lines = [f"line {number} of the-secret {'x' * 200}" for number in range(500)]
    receiver.error = ConnectionFailed("away")
    async with logger:
        for line in lines:
            logger.write(StreamType.STDOUT, f"{line}\n")
            await asyncio.sleep(0)
        await until(lambda: len(receiver.calls) > 3)
        assert (tmp_path / "spool").stat().st_mode & 0o777 == 0o600
        spooled = (tmp_path / "spool").read_text()
        assert "line 0 of ***" in spooled
        assert "the-secret" not in spooled
        receiver.error = None
    expected = "".join(f"{line}\n" for line in lines).replace("the-secret", "***")
    assert receiver.text == expected
    assert list(receiver.chunks) == list(range(7, 7 + len(receiver.chunks)))


async def test_closing_delivers_what_is_held_back(receiver: Receiver, logger: JobLogger) -> None:
    async with logger:
        logger.write(StreamType.STDOUT, "ends in the-sec")
    assert receiver.text == "ends in the-sec"


async def test_a_lost_lease_ends_the_log_quietly(receiver: Receiver, logger: JobLogger) -> None:
    receiver.error = LeaseLost("gone")
    async with logger:
        logger.say("one")
        await until(lambda: receiver.calls)
        logger.say("two")
    assert len(receiver.calls) == 1


async def test_a_refused_batch_does_not_fail_the_job(
    receiver: Receiver, logger: JobLogger, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.error = InvalidInput("no")
    async with logger:
        logger.say("one")
        await until(lambda: receiver.calls)
        receiver.error = None
        logger.say("two")
    assert receiver.text == "two\n"
    assert "refused" in caplog.text


async def test_a_batch_that_fails_again_and_again_does_not_hold_the_job(
    receiver: Receiver,
    logger: JobLogger,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(outage, "FIRST_DELAY", 0.01)
    receiver.error = ServerFailed("broken", status=500)
    async with asyncio.timeout(5), logger:
        logger.say("one")
    assert len(receiver.calls) == outage.MOST_FAULTS
    assert "dropped" in caplog.text


async def test_a_tendril_that_leaves_waits_no_outage_out(
    receiver: Receiver, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.error = ConnectionFailed("away")
    outages = Outages()
    async with asyncio.timeout(5), JobLogger(receiver, tmp_path / "spool", 1, [], outages) as log:
        log.say("one")
        await until(lambda: receiver.calls)
        outages.leave_within(0)
    assert "the rest of the log is given up" in caplog.text


async def test_a_lost_job_gives_the_rest_up(receiver: Receiver, logger: JobLogger) -> None:
    receiver.error = ConnectionFailed("away")

    async def job() -> None:
        async with logger:
            logger.say("one")
            await until(lambda: receiver.calls)
            raise LeaseLost("gone")

    with pytest.raises(LeaseLost):
        await asyncio.wait_for(job(), 2)


async def test_a_failure_gives_nothing_up(receiver: Receiver, logger: JobLogger) -> None:
    async def job() -> None:
        async with logger:
            logger.say("one")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await job()
    assert receiver.text == "one\n"
