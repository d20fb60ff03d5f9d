"""Child processes: output, interrupt, kill, and nothing left behind."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from support.waiting import until
from tendril import child_process
from tendril.stop import StopReason, StopRequest


class Child:
    """Runs a shell script and keeps what it prints."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stop = StopRequest()
        self.out: list[str] = []
        self.err: list[str] = []

    async def run(self, script: str) -> int:
        return await child_process.run(
            ["/bin/sh", "-c", script],
            folder=self.folder,
            environment={"PATH": os.environ["PATH"]},
            stop=self.stop,
            stdout=self.out.append,
            stderr=self.err.append,
        )

    async def printed(self, line: str) -> None:
        await until(lambda: line in self.out)


@pytest.fixture
def child(tmp_path: Path) -> Child:
    return Child(tmp_path)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


async def gone(pid: int) -> None:
    await until(lambda: not is_alive(pid))


async def test_lines_status_and_environment(child: Child) -> None:
    status = await child.run("env | grep -v ^PWD= | grep -v ^_; echo no >&2; printf 'end'; exit 3")
    assert status == 3
    assert child.out == [f"PATH={os.environ['PATH']}\n", "end\n"]
    assert child.err == ["no\n"]


async def test_a_line_may_be_longer_than_any_buffer_and_split_within_a_character(
    child: Child,
) -> None:
    (child.folder / "long").write_text("é" * 200_001 + "\nlast\n")
    assert await child.run("cat long") == 0
    assert child.out == ["é" * 200_001 + "\n", "last\n"]


async def test_a_stop_is_one_interrupt(child: Child) -> None:
    running = asyncio.create_task(
        child.run(
            "trap 'echo interrupted' INT; echo up; n=0; "
            "while [ $n -lt 5 ]; do sleep 0.05; n=$((n+1)); done; exit 4"
        )
    )
    await child.printed("up\n")
    child.stop.request(StopReason.CANCELLED)
    child.stop.request(StopReason.LEASE_LOST)
    assert await running == 4
    assert child.out == ["up\n", "interrupted\n"]


async def test_what_ignores_the_interrupt_is_killed_with_its_group(
    child: Child, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_process, "PAUSE_SECONDS", 0.2)
    running = asyncio.create_task(
        child.run("trap '' INT; sleep 60 & echo $!; echo up; while true; do sleep 0.1; done")
    )
    await child.printed("up\n")
    began = time.monotonic()
    child.stop.request(StopReason.CANCELLED)
    assert await running == -9
    assert time.monotonic() - began >= 0.2
    await gone(int(child.out[0]))


async def test_what_a_command_leaves_running_is_killed(child: Child) -> None:
    async with asyncio.timeout(20):
        assert await child.run("sleep 60 & echo $!") == 0
    await gone(int(child.out[0]))


async def test_cancelling_the_call_kills_at_once(child: Child) -> None:
    running = asyncio.create_task(child.run("echo $$; echo up; sleep 60"))
    await child.printed("up\n")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await gone(int(child.out[0]))
