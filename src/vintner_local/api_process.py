"""The API as a process of its own, under a supervisor.

Run as `python -m vintner_local.api_process SOCKET`, the number of an inherited socket that listens.
The settings come as one line of JSON on standard input, since other users can read a command line;
the process ends when that input closes, so it never outlives its supervisor.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
from contextlib import suppress

from vintner_local.gateway import serve
from vintner_local.settings import ApiSettings


async def run(listening: socket.socket) -> None:
    """Serves until the input closes or the process is told to end.

    Args:
        listening: where the API is reached.
    """
    loop = asyncio.get_running_loop()
    supervisor = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(supervisor), sys.stdin)
    settings = ApiSettings.model_validate_json(await supervisor.readline())
    serving = asyncio.create_task(serve(settings, listening))
    gone = asyncio.create_task(supervisor.read())
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, serving.cancel)
    await asyncio.wait({serving, gone}, return_when=asyncio.FIRST_COMPLETED)
    gone.cancel()
    serving.cancel()
    with suppress(asyncio.CancelledError):
        await serving


def main() -> None:
    """Serves on the socket whose number is the only argument."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    asyncio.run(run(socket.socket(fileno=int(sys.argv[1]))))


if __name__ == "__main__":
    main()
