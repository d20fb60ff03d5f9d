"""Starts the supervisor of a stack in the background, and waits for what it starts."""

from __future__ import annotations

import http.client
import subprocess
import sys
import time

from vintner_local.errors import StackError
from vintner_local.files import last_lines
from vintner_local.ports import HOST
from vintner_local.stack import PARTS, Stack, StackState

READY_SECONDS = 30.0
POLL_SECONDS = 0.03
ANSWER_SECONDS = 2.0
DETAIL_LINES = 10


def start_supervisor(stack: Stack) -> None:
    """Starts the supervisor, detached from the terminal and from the caller's life.

    Args:
        stack: whose `launch.json` says what to run.

    Raises:
        StackError: it ended before it said that it runs.
    """
    with stack.log("supervisor").open("ab") as log:
        supervisor = subprocess.Popen(
            [sys.executable, "-P", "-m", "vintner_local.supervisor", str(stack.folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,
        )
    deadline = time.monotonic() + READY_SECONDS
    while True:
        running = stack.load_running()
        if running is not None and running.supervisor.pid == supervisor.pid:
            return
        if supervisor.poll() is not None or time.monotonic() > deadline:
            raise _failure(stack, "the supervisor does not start")
        time.sleep(POLL_SECONDS)


def wait_for_part(stack: Stack, part: str) -> None:
    """Waits until the supervisor says that a part takes requests.

    Raises:
        StackError: the part does not start.
    """
    deadline = time.monotonic() + READY_SECONDS
    while True:
        running = stack.load_running()
        status = running.parts.get(part) if running is not None else None
        if status is not None and status.ready and status.process.alive():
            return
        if running is None or not running.supervisor.alive() or time.monotonic() > deadline:
            raise _failure(stack, f"{part} does not start within {READY_SECONDS:.0f} s")
        time.sleep(POLL_SECONDS)


def wait_for_api(stack: Stack, state: StackState) -> None:
    """Waits until the API answers.

    Raises:
        StackError: it does not start, or does not answer.
    """
    wait_for_part(stack, "api")
    deadline = time.monotonic() + READY_SECONDS
    while not _is_healthy(state.api_port):
        if time.monotonic() > deadline:
            raise _failure(stack, f"the API does not answer on {state.api_url}")
        time.sleep(POLL_SECONDS)


def _is_healthy(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _failure(stack: Stack, otherwise: str) -> StackError:
    """What went wrong, in the supervisor's words where it has any."""
    told = last_lines(stack.log("supervisor"), DETAIL_LINES)
    sentences = [line for line in told if " does not start: " in line]
    if not sentences:
        return StackError(otherwise, "\n".join(told))
    sentence = sentences[-1].split(" ", 2)[2]
    part = sentence.split(" ", 1)[0]
    detail = last_lines(stack.log(part), DETAIL_LINES) if part in PARTS else told
    if any("No space left on device" in line for line in detail):
        sentence = f"{part} does not start: the disk is full"
    return StackError(sentence, "\n".join(detail))
