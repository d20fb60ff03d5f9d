"""What Terraform and OpenTofu print, as models: the messages of `-json`, plans and outputs.

Source: Terraform's documentation of its machine-readable UI and of its JSON output formats. Message
types and fields that are not named here are passed over, for new ones may come with any version.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field, ValidationError

from vintner_client.models import StreamType


class Diagnostic(BaseModel):
    """An error or a warning."""

    severity: str
    summary: str
    detail: str = ""


class Message(BaseModel):
    """One line of a command's `-json` output."""

    text: str = Field(alias="@message")
    type: str = ""
    diagnostic: Diagnostic | None = None

    @property
    def is_error(self) -> bool:
        """Whether it reports an error."""
        return self.diagnostic is not None and self.diagnostic.severity == "error"

    @property
    def reason(self) -> str:
        """What is wrong: the diagnostic's summary and the first paragraph of its detail."""
        if self.diagnostic is None:
            return self.text
        detail = self.diagnostic.detail.partition("\n\n")[0]
        return " ".join(f"{self.diagnostic.summary}: {detail}".split()).removesuffix(":")

    @property
    def stream(self) -> StreamType:
        """Where it would have been printed without `-json`."""
        return StreamType.STDERR if self.is_error else StreamType.STDOUT

    @property
    def lines(self) -> str:
        """The message for people, with the whole of a diagnostic."""
        if self.diagnostic is None or not self.diagnostic.detail:
            return f"{self.text}\n"
        detail = "".join(f"  {line}\n" for line in self.diagnostic.detail.splitlines())
        return f"{self.text}\n{detail}"


def parse_message(line: str) -> Message | None:
    """A line of `-json` output as a message; None where it is none, as in a crash."""
    try:
        return Message.model_validate_json(line)
    except ValidationError:
        return None


class Change(BaseModel):
    """What a plan does to a resource."""

    actions: list[str]


class ResourceChange(BaseModel):
    """A resource in a plan."""

    change: Change


class Plan(BaseModel):
    """A saved plan, as `show -json` prints it, without any value of it."""

    resource_changes: list[ResourceChange] = []

    @property
    def summary(self) -> dict[str, int]:
        """How many resources it adds, changes and destroys; a replaced one counts twice."""
        actions = [action for item in self.resource_changes for action in item.change.actions]
        return {
            "add": actions.count("create"),
            "change": actions.count("update"),
            "destroy": actions.count("delete"),
        }


class Output(BaseModel):
    """A root output, as `output -json` prints it."""

    sensitive: bool
    value: Any


class Version(BaseModel):
    """What `version -json` prints; OpenTofu names its own version so too."""

    terraform_version: str
