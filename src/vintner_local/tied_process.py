"""Runs a program that ends with its parent, even when the parent is killed.

Run by its path with the program's command line as arguments: the program is ended as soon as
standard input closes, which the system does for a parent that dies. Uses nothing but the standard
library, so that it starts without the environment's packages.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading

PATIENCE = 3.0


def main() -> None:
    """Runs the program and exits with its status."""
    program = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
    threading.Thread(target=_end_with_input, args=(program,), daemon=True).start()
    sys.exit(abs(program.wait()))


def _end_with_input(program: subprocess.Popen[bytes]) -> None:
    while os.read(0, 4096):
        pass
    program.terminate()
    try:
        program.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        program.kill()


if __name__ == "__main__":
    main()
