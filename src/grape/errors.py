"""Every way in which grape ends badly, told in one line."""

from __future__ import annotations

import os
import sys
import traceback

import click

FAILED = 1
USAGE = 2
INTERRUPTED = 130

LOGIN = "Sign in with: grape login"
START = "Start the local stack with: vintner-local up; or check SUPABASE_URL."
CORRECT = "Correct the value and try again."
DEBUG = "GRAPE_DEBUG"


class GrapeError(Exception):
    """Something that stands in the way; the message says what, and what to do.

    Attributes:
        hint: what to do next; may be empty.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def say(text: str) -> None:
    """A line for people, beside the output."""
    click.echo(f"grape: {text}", err=True)


def report(error: BaseException) -> int:
    """Says what went wrong, in one line on stderr.

    Args:
        error: whatever ended the command.

    Returns:
        the exit status.
    """
    if os.environ.get(DEBUG):
        traceback.print_exception(error, file=sys.stderr)
    if isinstance(error, (click.Abort, KeyboardInterrupt)):
        return INTERRUPTED
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return USAGE
    if isinstance(error, click.UsageError):
        path = error.ctx.command_path if error.ctx else "grape"
        _one_line(error.format_message(), f"See: {path} --help")
        return USAGE
    message, hint = _told(error)
    _one_line(message, hint)
    return FAILED


def _told(error: BaseException) -> tuple[str, str]:
    from vintner_client import errors

    match error:
        case GrapeError():
            return str(error), error.hint
        case errors.WrongCredentials() | errors.EmailNotConfirmed():
            return error.message, error.hint
        case errors.NotSignedIn():
            return error.message, LOGIN
        case errors.ConnectionFailed():
            return error.message, START
        case errors.InvalidInput():
            return error.message, error.hint or CORRECT
        case errors.VintnerError():
            return error.message, error.hint
        case click.ClickException():
            return error.format_message(), ""
        case OSError():
            where = f"{error.filename}: " if error.filename else ""
            return f"{where}{error.strerror or error}.", ""
        case _:
            return (
                f"This is a fault of grape itself ({type(error).__name__}: {error}).",
                f"Set {DEBUG}=1 to see where, and report it.",
            )


def _one_line(message: str, hint: str) -> None:
    say(" ".join(f"{message} {hint}".split()))
