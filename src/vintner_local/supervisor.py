"""The background process of a stack: runs PostgreSQL and the API and starts them again.

Run as `python -m vintner_local.supervisor FOLDER`. What to run is read from the stack's folder, and
what runs is written there.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from vintner_local import ports
from vintner_local.errors import StackError
from vintner_local.kept_process import KeptProcess, PartFailedError
from vintner_local.postmaster import is_ready, server_environment
from vintner_local.processes import ORDINARY_ENDING, POSTGRES_ENDING, ProcessRef
from vintner_local.server_user import ServerUser, process_user, remove_cluster
from vintner_local.stack import LOGS, Launch, Running, Stack

LARGEST_LOG = 5 * 2**20
OWNER_POLL = 0.5
ANSWER_SECONDS = 1.0


class Supervisor:
    """Keeps the parts of one stack running, PostgreSQL first."""

    def __init__(self, stack: Stack) -> None:
        itself = ProcessRef.of(os.getpid())
        if itself is None:
            raise StackError("the supervisor cannot see its own process")
        self._stack = stack
        self._itself = itself
        self._told_to_stop = asyncio.Event()
        self._is_abandoned = False
        self._postgres = KeptProcess(
            name="postgres",
            log=stack.log("postgres"),
            start=self._start_postgres,
            is_ready=self._postgres_is_ready,
            ending=POSTGRES_ENDING,
            note=_note,
            changed=self._write_status,
        )
        self._api = KeptProcess(
            name="api",
            log=stack.log("api"),
            start=self._start_api,
            is_ready=self._api_is_ready,
            ending=ORDINARY_ENDING,
            note=_note,
            changed=self._write_status,
        )

    async def run(self) -> int:
        """Runs until it is told to stop, its owner ends, or a part does not start.

        Returns:
            The exit status: 1 when a part does not start.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._told_to_stop.set)
        _note("supervisor started")
        try:
            # Held from now on, so that whoever answers there is ours.
            self._listening = ports.listen(self._launch().api_port)
        except StackError as error:
            _note(f"api does not start: {error}")
            return 1
        self._write_status()
        parts = asyncio.create_task(self._keep_parts())
        end = asyncio.create_task(self._wait_for_end())
        await asyncio.wait({parts, end}, return_when=asyncio.FIRST_COMPLETED)
        end.cancel()
        parts.cancel()
        _note("supervisor ends its parts")
        try:
            await parts
        except asyncio.CancelledError:
            return 0
        except (PartFailedError, StackError) as failure:
            _note(str(failure))
            return 1
        finally:
            self._stack.forget_running()
            _note("supervisor ended")
            if self._is_abandoned:
                remove_cluster(self._launch().cluster)
                shutil.rmtree(self._stack.folder, ignore_errors=True)
        return 0

    async def _keep_parts(self) -> None:
        """Starts each part when the one before is ready; ends them in the opposite order."""
        tasks: list[asyncio.Task[None]] = []
        try:
            for name in LOGS:
                _rotate(self._stack.log(name))
            for part in (self._postgres, self._api):
                task = asyncio.create_task(part.keep())
                tasks.append(task)
                ready = asyncio.create_task(part.was_ready.wait())
                await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
                ready.cancel()
                if task.done():
                    await task
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            for task in reversed(tasks):
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def _wait_for_end(self) -> None:
        owner = self._launch().owner
        while owner is None or owner.alive():
            with suppress(TimeoutError):
                async with asyncio.timeout(OWNER_POLL if owner else None):
                    await self._told_to_stop.wait()
                    return
        self._is_abandoned = True
        _note(f"the process {owner.pid}, with which this stack ends, is gone")

    async def _start_postgres(self) -> Process:
        launch = self._launch()
        user = ServerUser(*launch.user) if launch.user else None
        with self._stack.log("postgres").open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *launch.postgres,
                stdin=DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                umask=0o077,
                env=server_environment(),
                **process_user(user),
            )

    async def _start_api(self) -> Process:
        """Starts the API, which reads its settings from a pipe and ends when that closes.

        It serves on a socket of ours: while it is started again, clients wait.
        """
        launch = self._launch()
        with self._stack.log("api").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",
                "-m",
                "vintner_local.api_process",
                str(self._listening.fileno()),
                pass_fds=(self._listening.fileno(),),
                stdin=PIPE,
                stdout=log,
                stderr=log,
                cwd="/",
            )
        if process.stdin is not None:
            with suppress(ConnectionError):
                process.stdin.write(launch.api.model_dump_json().encode() + b"\n")
                await process.stdin.drain()
        return process

    async def _postgres_is_ready(self, process: Process) -> bool:
        return is_ready(self._launch().cluster, process.pid)

    async def _api_is_ready(self, _process: Process) -> bool:
        """Whether it answers; until it takes connections, ours waits in the queue."""
        writer = None
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                port = self._launch().api_port
                reader, writer = await asyncio.open_connection(ports.HOST, port)
                writer.write(b"GET /health HTTP/1.0\r\n\r\n")
                return b" 200 " in await reader.readline()
        except (OSError, TimeoutError):
            return False
        finally:
            if writer is not None:
                writer.close()

    def _launch(self) -> Launch:
        launch = self._stack.load_launch()
        if launch is None:
            raise StackError(f"{self._stack.folder} does not say what to run")
        return launch

    def _write_status(self) -> None:
        parts = {part.name: part.status for part in (self._postgres, self._api) if part.status}
        self._stack.save_running(Running(supervisor=self._itself, parts=parts))


def _note(line: str) -> None:
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    print(f"{now} {line}", flush=True)


def _rotate(log: Path) -> None:
    """Keeps a log that has grown large as the one before."""
    if log.exists() and log.stat().st_size > LARGEST_LOG:
        log.replace(log.with_suffix(".log.1"))


def main() -> None:
    """Supervises the stack whose folder is the only argument."""
    folder = Path(sys.argv[1])
    sys.exit(asyncio.run(Supervisor(Stack(project=folder, folder=folder)).run()))


if __name__ == "__main__":
    main()
