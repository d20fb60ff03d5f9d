"""A group of commands whose modules are imported only when one of them is run."""

from __future__ import annotations

import importlib
from collections.abc import Mapping

import click


class LazyGroup(click.Group):
    """A click group.

    Args:
        name: the program's name.
        modules: per command, the module under `grape.commands` and the sentence in the help.
        text: the text above the commands.
        epilog: the text below them.
    """

    def __init__(
        self, name: str, modules: Mapping[str, tuple[str, str]], text: str, epilog: str
    ) -> None:
        super().__init__(name, help=text, epilog=epilog)
        self.modules = modules

    def list_commands(self, ctx: click.Context) -> list[str]:
        """See `click.Group`."""
        return list(self.modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """See `click.Group`."""
        if cmd_name not in self.modules:
            return None
        module = importlib.import_module(f"grape.commands.{self.modules[cmd_name][0]}")
        command = getattr(module, cmd_name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """See `click.Group`."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self.modules.items()])
