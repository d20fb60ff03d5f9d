"""grape login, grape logout."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from grape.app import with_client
from grape.errors import say

if TYPE_CHECKING:
    from vintner_client import AsyncVintner


@click.command()
@click.argument("email", required=False)
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--sign-up", is_flag=True, help="Make the user first.")
def login(email: str | None, password_stdin: bool, sign_up: bool) -> None:
    """Sign in, or sign up.

    The session is kept in a file that only you may read, one for each project. The password is
    asked for, or read from standard input; it is never an argument.
    """
    if not (email or sys.stdin.isatty()):
        raise click.UsageError("Name the e-mail address: grape login EMAIL.")
    if not (password_stdin or sys.stdin.isatty()):
        raise click.UsageError("There is no terminal to ask for the password: --password-stdin.")
    email = email or click.prompt("E-mail", err=True)
    if password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = click.prompt("Password", hide_input=True, err=True, confirmation_prompt=sign_up)
    _sign_in(email, password, sign_up)


@with_client
async def _sign_in(client: AsyncVintner, email: str, password: str, sign_up: bool) -> None:
    if sign_up:
        await client.auth.sign_up(email=email, password=password)
    else:
        await client.auth.sign_in(email=email, password=password)
    say(f"Signed in to {client.url} as {email}.")


@click.command()
@with_client
async def logout(client: AsyncVintner) -> None:
    """Sign out."""
    was_signed_in = client.auth.session is not None
    await client.auth.sign_out()
    say(f"Signed out of {client.url}." if was_signed_in else "You were not signed in.")
