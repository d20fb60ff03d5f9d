"""The README's own block of commands, run by a shell as it stands there."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from support._async.people import PASSWORD

from .conftest import Grape

PROJECT = Path(__file__).parents[3]
HEADING = "## On your own"
LEFT_OUT = re.compile(r"make up\b|\. \.venv/")
"""The stack is there already, and so are the programs."""


def commands(email: str) -> str:
    """The block, with its questions answered: who one is, the password, and the confirmation."""
    _, _, section = (PROJECT / "README.md").read_text().partition(HEADING)
    found = re.search(r"```sh\n(.*?)```", section, re.DOTALL)
    assert found is not None
    lines = [line for line in found[1].splitlines() if not LEFT_OUT.match(line)]
    text = "\n".join(lines).replace("examples/", f"{PROJECT}/examples/")
    login = "login --sign-up you@example.com"
    assert login in text
    text = text.replace(login, f"login --sign-up {email} --password-stdin <<< {PASSWORD!r}")
    assert "grape destroy shop" in text
    return text.replace("grape destroy shop", "grape destroy shop --yes")


def test_the_commands_do_what_they_say(visitor: Grape, email: str) -> None:
    script = f"set -e\n{commands(email)}\ngrape status shop\nkill %1\nwait %1\n"
    programs = Path(sys.executable).parent
    environment = {
        **visitor.env,
        "PATH": f"{programs}{os.pathsep}{visitor.env['PATH']}",
        "XDG_STATE_HOME": str(visitor.home / "state"),
    }
    shell = subprocess.Popen(
        ["/bin/bash", "-c", script],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=visitor.home,
        start_new_session=True,
    )
    try:
        out, err = shell.communicate(timeout=90)
    finally:
        if shell.poll() is None:
            os.killpg(shell.pid, signal.SIGKILL)
    assert shell.returncode == 0, err
    assert "Plan: 12 to add" in out
    assert "Apply complete! Resources: 12 added" in out
    assert "\tDESTROYED\t" in out
