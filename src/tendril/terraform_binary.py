"""Finds Terraform or OpenTofu on this machine."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from tendril.terraform_messages import Version

OLDEST = (1, 6)
ADVICE = "Install Terraform or OpenTofu, 1.6 or newer, or name it with --terraform."


INHERITED = (
    "PATH",
    "TMPDIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
)


def inherited_environment() -> dict[str, str]:
    """What Terraform gets of this process's environment: how to find programs and the network."""
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return {**inherited, "CHECKPOINT_DISABLE": "1"}


class TerraformMissing(Exception):
    """There is no Terraform or OpenTofu that can be used; the message says what to do."""


@dataclass(frozen=True, slots=True)
class TerraformBinary:
    """A Terraform or OpenTofu that works."""

    path: Path
    version: str


async def find_terraform(name: str | None) -> TerraformBinary:
    """Finds Terraform or OpenTofu and asks it for its version.

    Args:
        name: path or name of the program; None for `terraform`, else `tofu`, on PATH.

    Raises:
        TerraformMissing: there is none, it does not work, or it is too old.
    """
    path = _find(name)
    version = await _version(path)
    numbers = re.match(r"(\d+)\.(\d+)", version)
    if numbers is None or (int(numbers[1]), int(numbers[2])) < OLDEST:
        raise TerraformMissing(f"{path} is {version or 'no Terraform'}. {ADVICE}")
    return TerraformBinary(path, version)


def _find(name: str | None) -> Path:
    found = next(filter(None, map(shutil.which, [name] if name else ["terraform", "tofu"])), None)
    if found is None:
        where = f"There is no program {name}." if name else "No Terraform is on PATH."
        raise TerraformMissing(f"{where} {ADVICE}")
    # absolute, because it is run from other folders
    return Path(found).absolute()


async def _version(path: Path) -> str:
    try:
        process = await asyncio.create_subprocess_exec(
            path,
            "version",
            "-json",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=inherited_environment(),
        )
    except OSError as error:
        raise TerraformMissing(f"{path} cannot be run: {error.strerror}. {ADVICE}") from error
    output, _ = await process.communicate()
    try:
        return Version.model_validate_json(output).terraform_version
    except ValidationError:
        return ""
