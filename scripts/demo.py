"""The main job, for real: a stack on this machine, a vine planted, planned, harvested, destroyed.

Everything is done with the programs that a user has; each step checks what it did. The stack lives
in .vintner/demo, apart from the one of `make up`, and is stopped at the end whatever happens.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from dotenv import dotenv_values

PROJECT = Path(__file__).parents[1]
FOLDER = PROJECT / ".vintner" / "demo"
ENV_FILE = FOLDER / "demo.env"
PROGRAMS = Path(sys.executable).parent
MANIFEST = PROJECT / "examples" / "shop.yaml"
VINE = "shop"
LIMIT_SECONDS = 60.0
OUTPUTS = {
    "cluster": ["cluster_name", "cluster_endpoint", "cluster_arn"],
    "databases": ["endpoint", "reader_endpoint", "cluster_identifier"],
    "caches": ["endpoint"],
    "container_registries": ["repository_url"],
}
LIFE = ["DRAFT", "QUEUED", "PROVISIONING", "ACTIVE", "DESTROYING", "DESTROYED"]


class DemoFailed(Exception):
    """A step did not do what it says."""


def check(holds: bool, wanted: str) -> None:
    """Ends the demo unless something holds.

    Args:
        holds: whether it does.
        wanted: what was wanted, as a sentence.

    Raises:
        DemoFailed: it does not.
    """
    if not holds:
        raise DemoFailed(wanted)


class Running:
    """A command that has been started, and whose lines are shown as they come.

    One that takes too long is killed, and so fails.

    Args:
        command: for messages.
        process: what runs, with both outputs in one pipe.
    """

    def __init__(self, command: str, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self._command = command
        self._process = process
        self._lines = process.stdout
        self._limit = threading.Timer(LIMIT_SECONDS, process.kill)
        self._limit.daemon = True
        self._limit.start()

    def until(self, text: str) -> None:
        """Shows lines to the first that holds a text.

        Raises:
            DemoFailed: the command ends before.
        """
        for line in self._lines:
            print(line, end="", flush=True)
            if text in line:
                return
        check(False, f"`{self._command}` says {text!r}")

    def end(self) -> list[datetime]:
        """Shows the rest.

        Returns:
            When each of its lines came.

        Raises:
            DemoFailed: the exit status is not 0.
        """
        arrivals = []
        for line in self._lines:
            arrivals.append(datetime.now(UTC))
            print(line, end="", flush=True)
        status = self._process.wait()
        self._limit.cancel()
        check(status == 0, f"`{self._command}` ends with exit status 0")
        return arrivals


class Shell:
    """Runs the programs as a user would, with settings of its own."""

    def __init__(self) -> None:
        home = FOLDER / "home"
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True, mode=0o700)
        self.home = home
        # not HOME: what vintner-local has fetched is kept there for every project
        self.environment = {
            **os.environ,
            "XDG_CONFIG_HOME": str(home / "config"),
            "XDG_STATE_HOME": str(home / "state"),
            "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}",
        }

    def start(self, *command: str, typed: str = "") -> Running:
        """Starts a command and shows it.

        Args:
            command: the program and its arguments.
            typed: what is given on standard input.
        """
        print(f"\n$ {' '.join(command)}", flush=True)
        process = subprocess.Popen(
            command,
            cwd=PROJECT,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdin is not None
        process.stdin.write(typed)
        process.stdin.close()
        return Running(" ".join(command), process)

    def run(self, *command: str, typed: str = "") -> None:
        """Runs a command to its end and shows it; see `start` and `Running.end`."""
        self.start(*command, typed=typed).end()

    def read(self, *command: str) -> str:
        """What a command answers; its messages go straight to standard error.

        Raises:
            DemoFailed: the exit status is not 0.
        """
        answer = subprocess.run(
            command,
            check=False,
            cwd=PROJECT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        check(answer.returncode == 0, f"`{' '.join(command)}` ends with exit status 0")
        return answer.stdout

    def read_json(self, *command: str) -> Any:
        """What a command answers with --json."""
        return json.loads(self.read(*command, "--json"))


def is_zombie(process: psutil.Process) -> bool:
    """Whether a process has ended, and only waits for its parent to take note."""
    return process.status() == psutil.STATUS_ZOMBIE


@contextmanager
def stack(shell: Shell) -> Iterator[None]:
    """The local stack, from here to the end of the block; nothing of it is left running."""
    data = ("--data", str(FOLDER))
    started: list[psutil.Process] = []
    try:
        up = ("vintner-local", "up", *data, "--env-file", str(ENV_FILE))
        shell.read(*up)
        settings = {name: value for name, value in dotenv_values(ENV_FILE).items() if value}
        shell.environment.update(settings)
        print(f"API {settings['SUPABASE_URL']}")
        status = json.loads(shell.read("vintner-local", "status", *data, "-o", "json"))
        supervisor = psutil.Process(status["parts"]["supervisor"]["pid"])
        started = [supervisor, *supervisor.children(recursive=True)]
        yield
    finally:
        shell.run("vintner-local", "down", *data)
    left = [process for process in started if process.is_running() and not is_zombie(process)]
    check(not left, "no process of the stack is left")


@contextmanager
def tendril(shell: Shell, token_file: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A Tendril in a process of its own, from here to the end of the block."""
    log = FOLDER / "tendril.log"
    command = ["tendril", "run", "--token-file", str(token_file)]
    print(f"\n$ {' '.join(command)} &   (its log: {log.relative_to(PROJECT)})", flush=True)
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=PROJECT, env=shell.environment, stdout=output, stderr=output
        )
        try:
            yield process
        except DemoFailed:
            print(f"\nThe Tendril's log:\n{log.read_text()}", file=sys.stderr)
            raise
        finally:
            process.terminate()
            process.wait(60)
    check(process.returncode == 0, "the Tendril drains and ends with exit status 0")


def plant(shell: Shell) -> None:
    """Signs a new user up and plants the example."""
    email = f"you-{secrets.token_hex(4)}@example.com"
    password = f"{secrets.token_urlsafe(16)}\n"
    shell.run("grape", "login", "--sign-up", email, "--password-stdin", typed=password)
    shell.run("grape", "vineyard", "create", "webshop")
    shell.run("grape", "identity", "create", "sandbox", "--provider", "local")
    file = str(MANIFEST.relative_to(PROJECT))
    shell.run("grape", "plant", "-f", file, "--vineyard", "webshop", "--identity", "sandbox")
    planted = shell.read_json("grape", "status", VINE)
    check(planted["vine"]["status"] == "DRAFT", "a planted vine is a DRAFT")
    check(len(planted["components"]) == 12, "the vine has twelve components")


def check_it_was_live(shell: Shell, arrivals: list[datetime]) -> None:
    """Sees that a log came while Terraform ran, not afterwards."""
    job = shell.read_json("grape", "status", VINE)["jobs"][0]
    check(arrivals[0] < datetime.fromisoformat(job["completed_at"]), "the log came live")


def check_outputs(shell: Shell) -> None:
    """Sees that the vine is ACTIVE and what is populated after provisioning is."""
    harvested = shell.read_json("grape", "status", VINE)
    check(harvested["vine"]["status"] == "ACTIVE", "a harvested vine is ACTIVE")
    for component in harvested["components"]:
        missing = set(OUTPUTS.get(component["kind"], ())) - set(component["outputs"])
        check(not missing, f"{component['kind']} {component['name']} has its {missing}")


def life(shell: Shell) -> list[str]:
    """The statuses that the vine went through, by the audit log."""
    entries = shell.read_json("grape", "audit", VINE)
    return [
        entry["changes"]["status"]["after"]
        for entry in entries
        if entry["component_type"] == "vine" and "status" in entry["changes"]
    ]


def main() -> int:
    """Runs every step; the exit status is 0 only if each did what it says."""
    started = time.monotonic()
    if not (shutil.which("terraform") or shutil.which("tofu")):
        print("Install Terraform 1.6 or newer, or OpenTofu, and try again.", file=sys.stderr)
        return 1
    shell = Shell()
    try:
        with stack(shell):
            plant(shell)
            token_file = shell.home / "tendril.token"
            shell.run("grape", "tendril", "register", "demo", "--token-file", str(token_file))
            # followed before there is a Tendril, so that not a line of the log can be missed
            plan = shell.start("grape", "plan", VINE)
            plan.until("is DRAFT")
            with tendril(shell, token_file):
                check_it_was_live(shell, plan.end())
                shell.run("grape", "harvest", VINE)
                check_outputs(shell)
                shell.run("grape", "status", VINE)
                shell.run("grape", "destroy", VINE, "--yes")
                shell.run("grape", "audit", VINE)
                check(life(shell) == LIFE, f"the vine goes {' → '.join(LIFE)}")
                print(f"\nThe vine went {' → '.join(LIFE)}.")
    except DemoFailed as failure:
        print(f"\nThe demo failed: it is not so that {failure}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; everything was stopped.", file=sys.stderr)
        return 130
    print(f"Everything was stopped. All of it took {time.monotonic() - started:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
