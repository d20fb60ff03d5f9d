"""What a user's type checker says: pyright, strict, on a program that uses the library widely."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from vintner_local.install import install_packages, node

USER = Path(__file__).parents[2] / "pyright"


@pytest.fixture(scope="module")
def pyright() -> list[str]:
    """The command."""
    packages = install_packages(USER, print)
    return [str(node()), str(packages / "node_modules" / "pyright" / "index.js")]


def test_a_users_program_is_strictly_typed(pyright: list[str]) -> None:
    found = run(pyright, "--project", str(USER))
    assert told(found) == []
    assert found["summary"]["filesAnalyzed"] == 1


def test_all_that_is_public_has_a_type(pyright: list[str]) -> None:
    """As `py.typed` promises: no part of it is unknown or guessed."""
    found = run(pyright, "--verifytypes", "vintner_client", "--ignoreexternal")
    unknown = [
        f"{symbol['name']}: {each['message']}"
        for symbol in found["typeCompleteness"]["symbols"]
        if symbol["isExported"]
        for each in symbol["diagnostics"]
        if each["severity"] == "error"
    ]
    assert unknown == []
    assert found["typeCompleteness"]["exportedSymbolCounts"]["withKnownType"] > 500


def test_the_wheel_says_that_it_is_typed(tmp_path: Path) -> None:
    root = USER.parents[1]
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=root, check=True, capture_output=True, timeout=100)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        assert "vintner_client/py.typed" in packed.namelist()


def run(command: list[str], *arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [*command, "--pythonpath", sys.executable, "--outputjson", *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env={**os.environ, "PYTHONPATH": str(USER.parents[1] / "src")},
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def told(found: dict[str, Any]) -> list[str]:
    return [
        f"{Path(each['file']).name}:{each['range']['start']['line'] + 1}: {each['message']}"
        for each in found["generalDiagnostics"]
    ]
