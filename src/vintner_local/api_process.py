"""The API as a process of its own, under a supervisor.

Run as `python -m vintner_local.api_process PORT`. The settings come as one line of JSON on standard
input, since other users can read a command line; the process ends when that input closes, so it
never outlives its supervisor.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from contextlib import suppress

from vintner_local.gateway import serve
from vintner_local.settings import ApiSettings


async def run(port: int) -> None:
    """Serves until the input closes or the process is told to end.

    Args:
        port: TCP port on the loopback address.
    """
    loop = asyncio.get_running_loop()
    supervisor = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(supervisor), sys.stdin)
    settings = ApiSettings.model_validate_json(await supervisor.readline())
    serving = asyncio.create_task(serve(settings, port))
    gone = asyncio.create_task(supervisor.read())
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, serving.cancel)
    await asyncio.wait({serving, gone}, return_when=asyncio.FIRST_COMPLETED)
    gone.cancel()
    serving.cancel()
    with suppress(asyncio.CancelledError):
        await serving


def main() -> None:
    """Serves on the port that is the only argument."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    asyncio.run(run(int(sys.argv[1])))


if __name__ == "__main__":
    main()
