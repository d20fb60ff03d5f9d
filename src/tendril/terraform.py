"""Terraform's commands, as one job uses them. OpenTofu's are the same."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from tendril import child_process
from tendril.stop import StopRequest
from tendril.terraform_binary import TerraformBinary, inherited_environment
from tendril.terraform_messages import Output, Plan, parse_message
from vintner_client.models import StreamType

PLAN_FILE = "vintner.tfplan"
OUTPUTS = TypeAdapter(dict[str, Output])
ERROR_CHARACTERS = 500
SAID_BY_PLAN = ("version", "planned_change")

Write = Callable[[StreamType, str], None]


class TerraformFailed(Exception):
    """A command failed; the message is Terraform's first error."""


class TerraformStopped(Exception):
    """A command was interrupted, or not begun, because the job is to stop."""


class Terraform:
    """Terraform in one folder.

    Args:
        binary: the program.
        folder: the template, with its variables.
        home: stands in for the user's home.
        cli_config: its CLI configuration file, which must exist.
        settings: more environment variables: the backend's, credentials.
        write: gets its output, for people.
        stop: awaited while it runs.
        inherited: the descriptors that it gets from this process.

    Attributes:
        seconds: how long each step took.
    """

    def __init__(
        self,
        binary: TerraformBinary,
        *,
        folder: Path,
        home: Path,
        cli_config: Path,
        settings: Mapping[str, str],
        write: Write,
        stop: StopRequest,
        inherited: Collection[int] = (),
    ) -> None:
        self._binary = binary
        self._folder = folder
        self._environment = {
            **inherited_environment(),
            "HOME": str(home),
            "TF_CLI_CONFIG_FILE": str(cli_config),
            "TF_IN_AUTOMATION": "1",
            "TF_INPUT": "0",
            **settings,
        }
        self._write = write
        self._stop = stop
        self._inherited = inherited
        self._first_error = ""
        self.seconds: dict[str, float] = {}

    async def init(self) -> None:
        """Prepares the folder: backend, modules, providers."""
        await self._run(
            "init", ["-input=false", "-no-color"], stdout=self._plain, stderr=self._plain_error
        )

    async def plan(self, *, destroy: bool = False) -> Plan:
        """Plans and keeps the plan in the folder.

        Args:
            destroy: plan to remove everything.
        """
        arguments = ["-json", "-input=false", "-detailed-exitcode", f"-out={PLAN_FILE}"]
        if destroy:
            arguments.append("-destroy")
        # 2 means that there are changes
        await self._run(
            "plan", arguments, stdout=self._message, stderr=self._plain_error, success=(0, 2)
        )
        return Plan.model_validate_json(await self._read("show", ["-json", PLAN_FILE]))

    async def apply(self) -> None:
        """Applies the plan that was kept."""
        arguments = ["-json", "-input=false", PLAN_FILE]
        await self._run("apply", arguments, stdout=self._news, stderr=self._plain_error)

    async def outputs(self) -> dict[str, Any]:
        """The outputs that are not sensitive."""
        # what was applied is there, so that a stop which comes now comes too late
        self._stop = StopRequest()
        outputs = OUTPUTS.validate_json(await self._read("output", ["-json"]))
        return {name: output.value for name, output in outputs.items() if not output.sensitive}

    async def _read(self, command: str, arguments: Sequence[str]) -> str:
        lines: list[str] = []
        await self._run(command, arguments, stdout=lines.append, stderr=self._plain_error)
        return "".join(lines)

    async def _run(
        self,
        command: str,
        arguments: Sequence[str],
        *,
        stdout: child_process.Write,
        stderr: child_process.Write,
        success: Collection[int] = (0,),
    ) -> None:
        if self._stop.reason is not None:
            raise TerraformStopped
        began = time.monotonic()
        status = await child_process.run(
            [self._binary.path, command, *arguments],
            folder=self._folder,
            environment=self._environment,
            stop=self._stop,
            stdout=stdout,
            stderr=stderr,
            inherited=self._inherited,
        )
        self.seconds[command] = round(time.monotonic() - began, 3)
        if status in success:
            return
        if self._stop.reason is not None:
            raise TerraformStopped
        reason = self._first_error or f"it ended with status {status}"
        raise TerraformFailed(f"terraform {command} failed: {reason}"[:ERROR_CHARACTERS])

    def _news(self, line: str) -> None:
        """Passes a message on unless `plan` has said it before."""
        message = parse_message(line)
        if message is None or message.type not in SAID_BY_PLAN:
            self._message(line)

    def _message(self, line: str) -> None:
        message = parse_message(line)
        if message is None:
            self._plain(line)
            return
        if message.is_error:
            self._note_error(message.reason)
        self._write(message.stream, message.lines)

    def _plain(self, line: str) -> None:
        self._write(StreamType.STDOUT, line)

    def _plain_error(self, line: str) -> None:
        if line.startswith("Error: "):
            self._note_error(line.removeprefix("Error: ").strip())
        self._write(StreamType.STDERR, line)

    def _note_error(self, text: str) -> None:
        self._first_error = self._first_error or text
