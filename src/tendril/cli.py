"""The command `tendril`."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from importlib.metadata import version
from pathlib import Path

import click
import platformdirs
from dotenv import find_dotenv, load_dotenv

from tendril.job_folders import sweep
from tendril.job_runner import JobRunner
from tendril.outage import Outages
from tendril.terraform_binary import TerraformMissing, find_terraform
from tendril.worker import TendrilRefused, Worker
from vintner_client import AsyncVintner, VintnerError

TOKEN_VARIABLE = "VINTNER_TENDRIL_TOKEN"  # noqa: S105 - the name of a variable, not a token
ABORTED = 130

VERSION = version("vintner")


@click.group()
@click.version_option(VERSION)
def main() -> None:
    """Tendril, the worker of Vintner."""


@main.command()
@click.option(
    "--token-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=f"File that holds the token; without it, {TOKEN_VARIABLE} does.",
)
@click.option(
    "--terraform", help="Terraform or OpenTofu to run.  [default: terraform, else tofu, on PATH]"
)
@click.option(
    "--work-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=platformdirs.user_state_path("vintner", "vintner") / "tendril",
    help="Folder for the running job's files.  [default: the user's state folder]",
)
@click.option(
    "--poll-interval",
    type=click.FloatRange(min=0.1),
    default=2.0,
    show_default=True,
    help="Seconds between questions for a job while there is none.",
)
def run(
    token_file: Path | None, terraform: str | None, work_dir: Path, poll_interval: float
) -> None:
    """Claim jobs and run Terraform for them, until told to stop.

    The project is named by SUPABASE_URL and SUPABASE_PUBLISHABLE_KEY, in the environment or in a
    file .env in this folder or one above it. The first SIGTERM or SIGINT lets the running job
    finish, the second cancels it, the third ends everything at once.
    """
    load_dotenv(find_dotenv(usecwd=True))
    _log_to_stderr()
    try:
        work_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        asyncio.run(_run(_token(token_file), terraform, work_dir.absolute(), poll_interval))
    except (VintnerError, TendrilRefused, TerraformMissing) as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        where = f": {error.filename}" if error.filename else "."
        raise click.ClickException(f"{error.strerror or error}{where}") from error
    except asyncio.CancelledError:
        sys.exit(ABORTED)


async def _run(token: str, terraform: str | None, work_dir: Path, poll_interval: float) -> None:
    binary = await find_terraform(terraform)
    async with AsyncVintner.from_env(tendril_token=token) as client:
        # signs in now: a wrong token is told before anything is begun
        await client.auth.access_token()
        logging.getLogger(__name__).info(
            "tendril %s with %s %s at %s", VERSION, binary.path, binary.version, client.url
        )
        sweep(work_dir)
        outages = Outages()
        runner = JobRunner(client, binary, work_dir, outages)
        worker = Worker(client, runner, outages, version=VERSION, poll_interval=poll_interval)
        _heed_signals(worker)
        await worker.run()


def _heed_signals(worker: Worker) -> None:
    work = asyncio.current_task()
    assert work is not None
    steps = iter(
        (
            ("draining: claims no more jobs", worker.drain),
            ("cancelling the running job", worker.cancel_running),
            ("leaving at once", work.cancel),
        )
    )

    def heed() -> None:
        if step := next(steps, None):
            message, act = step
            logging.getLogger(__name__).warning(message)
            act()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, heed)


def _token(token_file: Path | None) -> str:
    try:
        token = token_file.read_text() if token_file else os.environ.get(TOKEN_VARIABLE, "")
    except UnicodeDecodeError:
        raise click.UsageError(f"{token_file} holds no token: it is not a text.") from None
    if not token.strip():
        raise click.UsageError(
            f"There is no token: set {TOKEN_VARIABLE} or name a --token-file. "
            "`grape tendril register` makes one."
        )
    return token.strip()


def _log_to_stderr() -> None:
    logging.basicConfig(
        format="%(asctime)s %(levelname)s %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%S%z",
        level=logging.WARNING,
        stream=sys.stderr,
    )
    logging.getLogger("tendril").setLevel(logging.INFO)
