"""The command that shows the logs."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from vintner_local.cli.options import with_stack
from vintner_local.files import last_lines
from vintner_local.stack import LOGS, Stack

POLL_SECONDS = 0.2


@click.command()
@click.argument("part", type=click.Choice(LOGS), required=False)
@with_stack
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written from now on.")
@click.option("-n", "--lines", type=click.IntRange(0), default=100, show_default=True)
def logs(stack: Stack, part: str | None, follow: bool, lines: int) -> None:
    """Show the end of a part's log, or of all logs."""
    names = (part,) if part else LOGS
    ends = {name: _size(stack.log(name)) for name in names}
    for name in names:
        _show(name if len(names) > 1 else None, last_lines(stack.log(name), lines))
    if follow:
        asyncio.run(_follow(stack, ends))


async def _follow(stack: Stack, ends: dict[str, int]) -> None:
    while True:
        for name, end in ends.items():
            ends[name], fresh = _read_from(stack.log(name), end)
            _show(name if len(ends) > 1 else None, fresh)
        await asyncio.sleep(POLL_SECONDS)


def _read_from(path: Path, position: int) -> tuple[int, list[str]]:
    """The whole lines after a position; a file that shrank was begun anew."""
    size = _size(path)
    if size < position:
        position = 0
    if size == position:
        return position, []
    with path.open("rb") as file:
        file.seek(position)
        content = file.read(size - position)
    whole = content[: content.rfind(b"\n") + 1]
    return position + len(whole), whole.decode(errors="replace").splitlines()


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _show(name: str | None, lines: list[str]) -> None:
    for line in lines:
        click.echo(f"{name:<10} | {line}" if name else line)
