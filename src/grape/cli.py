"""The program `grape`."""

from __future__ import annotations

import importlib.metadata
import sys

import click

from grape.errors import report
from grape.lazy_group import LazyGroup

COMMANDS = {
    "login": ("login", "Sign in, or sign up."),
    "logout": ("login", "Sign out."),
    "vineyard": ("vineyard", "Make and list vineyards: groups of vines."),
    "identity": ("identity", "Make and list cloud identities: accounts to provision in."),
    "plant": ("plant", "Make a vine from a manifest."),
    "plan": ("run", "Show what a harvest would change."),
    "harvest": ("run", "Make or change a vine's resources."),
    "destroy": ("run", "Remove a vine's resources."),
    "delete": ("delete", "Delete a vine that has no resources."),
    "logs": ("logs", "Print or follow a job's log."),
    "status": ("status", "Show a vine, or list all."),
    "audit": ("audit", "Show what happened to a vine."),
    "cancel": ("cancel", "Cancel a job."),
    "tendril": ("tendril", "Register and list Tendrils: what runs the jobs."),
}

HELP = """Vintner from the terminal.

A vine is named by its id, its project, or project/stage; a job by its id, or by its vine.
"""

EPILOG = """\b
Exit status:
  0    done; for plan, harvest, destroy and logs -f: the job succeeded
  1    it could not be done, or the job failed or was cancelled
  2    the command was not understood
  130  interrupted; a job goes on

\b
Environment (or .env, found upwards from the working directory):
  SUPABASE_URL              the project's URL
  SUPABASE_PUBLISHABLE_KEY  its publishable API key
"""

cli = LazyGroup("grape", COMMANDS, HELP, EPILOG)
cli = click.version_option(importlib.metadata.version("vintner"), prog_name="grape")(cli)


def main() -> None:
    """Runs grape and exits with its status."""
    try:
        status = cli.main(prog_name="grape", standalone_mode=False)
    except BaseException as error:
        status = error.code if isinstance(error, SystemExit) else report(error)
    sys.exit(status)
