"""The program without a project: help, usage, settings."""

from __future__ import annotations

import importlib
import stat
import subprocess
import sys

import click
import pytest

from grape.cli import COMMANDS
from support._async.people import PASSWORD, new_email
from vintner_local.pytest_plugin import SupabaseStack

from .conftest import Grape


def test_help_imports_next_to_nothing(stranger: Grape) -> None:
    code = (
        "import sys\n"
        "from grape.cli import cli\n"
        "cli.main(['--help'], standalone_mode=False)\n"
        "heavy = {'httpx', 'pydantic', 'rich', 'yaml', 'postgrest', 'vintner_client'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=stranger.env, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
    for name in COMMANDS:
        assert f"  {name} " in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_says_of_itself_what_the_list_says(name: str) -> None:
    module, text = COMMANDS[name]
    command = getattr(importlib.import_module(f"grape.commands.{module}"), name)
    assert isinstance(command, click.Command)
    assert command.name == name
    assert command.get_short_help_str(limit=100) == text


@pytest.mark.parametrize(
    "args",
    [
        ("prune",),
        ("plant",),
        ("status", "--colour"),
        ("login",),
        ("login", "ann@example.com"),
        ("cancel",),
    ],
)
def test_what_is_not_understood_is_told_in_a_line(stranger: Grape, args: tuple[str, ...]) -> None:
    done = stranger(*args)
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("grape: ")
    assert done.err.count("\n") == 1
    assert "--help" in done.err


def test_missing_settings_are_told(stranger: Grape) -> None:
    done = stranger("status")
    assert done.status == 1
    assert done.err == (
        "grape: SUPABASE_URL and SUPABASE_PUBLISHABLE_KEY are not set. Start a local stack with: "
        "vintner-local up; it writes them to .env. Or set them to those of your project.\n"
    )


def test_a_stack_that_is_not_running_is_told(stranger: Grape, unused_tcp_port: int) -> None:
    stranger.env["SUPABASE_URL"] = f"http://127.0.0.1:{unused_tcp_port}"
    stranger.env["SUPABASE_PUBLISHABLE_KEY"] = "sb_publishable_any"
    done = stranger("login", "ann@example.com", "--password-stdin", stdin="secret")
    assert done.status == 1
    assert "cannot be reached" in done.err
    assert "vintner-local up" in done.err
    assert "SUPABASE_URL" in done.err
    assert done.err.count("\n") == 1


def test_who_is_not_signed_in_reads_how_to(visitor: Grape) -> None:
    done = visitor("status")
    assert done.status == 1
    assert "You are not signed in to http://" in done.err
    assert done.err.endswith("Sign in with: grape login\n")


def test_a_wrong_key_is_told(visitor: Grape) -> None:
    visitor.env["SUPABASE_PUBLISHABLE_KEY"] = "sb_publishable_wrong"
    done = visitor("login", "ann@example.com", "--password-stdin", stdin=PASSWORD)
    assert done.status == 1
    assert "The API key is missing or wrong. Check SUPABASE_PUBLISHABLE_KEY" in done.err


def test_a_key_that_is_no_key_is_told(visitor: Grape) -> None:
    visitor.env["SUPABASE_PUBLISHABLE_KEY"] = "sb_publishable_ключ"
    done = visitor("login", "ann@example.com", "--password-stdin", stdin=PASSWORD)
    assert done.status == 1
    assert done.err == (
        "grape: The API key holds a character that no key has. "
        "Check SUPABASE_PUBLISHABLE_KEY against the project's keys.\n"
    )


def test_a_wrong_password_is_told(visitor: Grape) -> None:
    done = visitor("login", new_email(), "--password-stdin", stdin=PASSWORD)
    assert done.status == 1
    assert done.err == "grape: The e-mail or the password is wrong.\n"


def test_a_session_is_kept_privately_and_forgotten(
    grape: Grape, email: str, supabase_stack: SupabaseStack
) -> None:
    (file,) = (grape.home / "config" / "vintner" / "sessions").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert email in file.read_text()
    assert grape("status").status == 0

    assert grape("logout").err == f"grape: Signed out of {supabase_stack.url}.\n"

    assert not file.exists()
    assert "grape login" in grape("status").err
    assert grape("logout").err == "grape: You were not signed in.\n"
    assert grape("login", email, "--password-stdin", stdin=PASSWORD + "\n").status == 0
    assert grape("status").status == 0


def test_the_environment_goes_before_the_file(visitor: Grape, unused_tcp_port: int) -> None:
    visitor.env["SUPABASE_URL"] = f"http://127.0.0.1:{unused_tcp_port}"
    assert f":{unused_tcp_port}" in visitor("status").err


def test_a_session_that_the_server_no_longer_takes_is_told(grape: Grape) -> None:
    (file,) = (grape.home / "config" / "vintner" / "sessions").iterdir()
    text = file.read_text()
    token = text.partition('"access_token":"')[2].partition('"')[0]
    refresh = text.partition('"refresh_token":"')[2].partition('"')[0]
    spoilt = token[:-6] + ("AAAAAA" if token[-6:] != "AAAAAA" else "BBBBBB")
    file.write_text(text.replace(token, spoilt).replace(refresh, "gone"))

    done = grape("status")

    assert done.status == 1
    assert done.err.endswith("Sign in with: grape login\n")
    assert done.err.count("\n") == 1
