"""Writes the sync client and its tests from the async ones; `--check` only says whether they agree.

Works on Python's own tokens, so that words in texts stay as they are: `async` and `await` go, and
names that begin with Async or async_ are replaced by their twins.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tokenize
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAIRS = (
    ("src/vintner_client/_async", "src/vintner_client/_sync"),
    ("tests/py/client/_async", "tests/py/client/_sync"),
    ("tests/py/client/conftest.py", "tests/py/client/_sync/conftest.py"),
    ("tests/py/support/_async", "tests/py/support/_sync"),
)
NAMES = {
    "AsyncVintner": "Vintner",
    "AsyncClient": "Client",
    "AsyncBaseTransport": "BaseTransport",
    "AsyncIterator": "Iterator",
    "__aiter__": "__iter__",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "aclose": "close",
    "aread": "read",
    "aclosing": "closing",
    "_async": "_sync",
    "async_auth_flow": "sync_auth_flow",
}
TYPES = (
    (re.compile(r"\bAsyncGenerator\[(.+), None\]"), r"Generator[\1, None, None]"),
    (re.compile(r"\bAsyncGenerator\[(.+), (httpx\.Response)\]"), r"Generator[\1, \2, None]"),
    (re.compile(r"\bAsyncGenerator\b"), "Generator"),
)
HEAD = "# Made by scripts/generate_sync.py from {source}: run `make sync`.\n"


def twin(name: str) -> str:
    """The sync name of an async one; others stay."""
    known = NAMES.get(name)
    if known is not None:
        return known
    return re.sub(r"^(_?)Async(?=[A-Z])", r"\1Sync", re.sub(r"^async_", "sync_", name))


def in_text(text: str) -> str:
    """A docstring or another text, with the names that it quotes as code replaced."""
    return re.sub(r"`(Async\w+)", lambda found: f"`{twin(found[1])}", text)


def sync_source(source: str) -> str:
    """What is written once for asyncio, for threads."""
    for pattern, replacement in TYPES:
        source = pattern.sub(replacement, source)
    lines = source.splitlines(keepends=True)
    edits: list[tuple[int, int, int, str]] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        (row, start), (last, end) = token.start, token.end
        if token.type == tokenize.NAME and token.string in ("async", "await"):
            edits.append((row, start, end + 1, ""))
        elif token.type == tokenize.NAME and twin(token.string) != token.string:
            edits.append((row, start, end, twin(token.string)))
        elif token.type == tokenize.STRING:
            for number in range(row, last + 1):
                lines[number - 1] = in_text(lines[number - 1])
    for row, start, end, text in reversed(edits):
        line = lines[row - 1]
        lines[row - 1] = line[:start] + text + line[end:]
    return "".join(lines)


def tidy(text: str, path: Path) -> str:
    """A file's text as ruff writes it."""
    ruff = [sys.executable, "-m", "ruff"]
    named = ["--stdin-filename", str(path), "-"]
    for step in (["check", "--quiet", "--fix", "--select", "I,F401,UP,SIM,RUF"], ["format"]):
        run = subprocess.run(
            [*ruff, *step, *named], input=text, capture_output=True, text=True, check=False
        )
        text = run.stdout or text
    return text


def pairs() -> dict[Path, Path]:
    """What is made from what."""
    found = {}
    for source, target in PAIRS:
        whole, made = ROOT / source, ROOT / target
        for path in [whole] if whole.is_file() else sorted(whole.rglob("*.py")):
            found[made / path.relative_to(whole) if path != whole else made] = path
    return found


def main() -> int:
    """Writes or compares; the exit status says whether all agreed."""
    check = "--check" in sys.argv[1:]
    wanted = pairs()
    present = {path for _, target in PAIRS for path in (ROOT / target).rglob("*.py")}
    wrong = sorted(present - wanted.keys())
    if not check:
        for left in wrong:
            left.unlink()
    for made, path in wanted.items():
        head = HEAD.format(source=path.relative_to(ROOT).as_posix())
        text = tidy(head + sync_source(path.read_text()), made)
        if made.exists() and made.read_text() == text:
            continue
        wrong.append(made)
        if not check:
            made.parent.mkdir(parents=True, exist_ok=True)
            made.write_text(text)
    if check and wrong:
        names = ", ".join(str(path.relative_to(ROOT)) for path in wrong)
        print(f"not as scripts/generate_sync.py makes it: {names}. Run `make sync`.")
    return 1 if check and wrong else 0


if __name__ == "__main__":
    sys.exit(main())
