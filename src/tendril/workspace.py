"""The private folder in which one job runs, and what stands in it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tendril.job_folders import errored_state, keep_unsaved_state, make_folder
from vintner_client.models import JobContext

CONTRACT_VERSION = 1
TEMPLATES = Path(__file__).parent / "templates"


class NoTemplate(Exception):
    """There is no template for this job; the message says why."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """A job's folder.

    Attributes:
        terraform: the template with its variables, where Terraform runs.
        home: an empty home for Terraform, so that nobody's own settings reach it.
        cli_config: Terraform's CLI configuration file.
        spool: where log chunks may wait; not there yet.
        errored_state: where Terraform puts a state that it could not save.
        lock: the descriptor that Terraform is to inherit: it keeps the folder locked.
    """

    terraform: Path
    home: Path
    cli_config: Path
    spool: Path
    errored_state: Path
    lock: int

    def keep_unsaved_state(self) -> Path | None:
        """Moves the state that could not be saved to where it stays; gives its path."""
        return keep_unsaved_state(self.spool.parent)


@contextmanager
def open_workspace(parent: Path, context: JobContext) -> Iterator[Workspace]:
    """Makes a fresh folder that only this user can read, and removes it afterwards.

    A state that could not be saved and is still there is kept elsewhere.

    Args:
        parent: where to make it.
        context: the job's.
    """
    with make_folder(parent, f"vine-{context.vine.id}-job-{context.job.id}") as folder:
        workspace = Workspace(
            terraform=folder.path / "terraform",
            home=folder.path / "home",
            cli_config=folder.path / "terraform.rc",
            spool=folder.path / "log.jsonl",
            errored_state=errored_state(folder.path),
            lock=folder.lock,
        )
        workspace.home.mkdir()
        workspace.cli_config.write_text("disable_checkpoint = true\n")
        yield workspace


def add_template(workspace: Workspace, context: JobContext) -> None:
    """Copies the job's template in and writes its variables.

    Raises:
        NoTemplate: this Tendril has none for the job.
    """
    shutil.copytree(_template(context), workspace.terraform)
    path = workspace.terraform / "vintner.auto.tfvars.json"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(terraform_variables(context), file, indent=2)


def terraform_variables(context: JobContext) -> dict[str, Any]:
    """The variables of a template: version 1 of the contract in docs/job-context.md."""
    return {
        "vintner_contract_version": CONTRACT_VERSION,
        "vine": context.vine.model_dump(mode="json", exclude={"terraform_version"}),
        **{kind: _by_name(value) for kind, value in context.components.items()},
    }


def _by_name(component: Any) -> Any:
    if isinstance(component, list):
        return {item["name"]: item for item in component}
    return component


def _template(context: JobContext) -> Path:
    repositories: Mapping[str, Any] = context.components.get("repositories") or {}
    if repositories.get("env_template_repo"):
        raise NoTemplate(
            "This Tendril cannot use a template repository yet: "
            "clear env_template_repo to use the built-in template."
        )
    provider = context.vine.provider
    available = sorted(folder.name for folder in TEMPLATES.iterdir() if folder.is_dir())
    if provider not in available:
        raise NoTemplate(
            f"This Tendril has no template for the provider {provider}; "
            f"it has one for: {', '.join(available)}."
        )
    return TEMPLATES / provider
