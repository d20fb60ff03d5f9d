"""The Deno processes, one for each function that was asked for, so that one cannot break another.

A process is started by the first request, and anew when any file of the functions changed.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from dotenv import dotenv_values

from vintner_local.child_server import ChildServer
from vintner_local.ports import HOST
from vintner_local.settings import ApiSettings, FunctionsSettings

ENTRY = "index.ts"
MAIN = Path(__file__).with_name("main.ts")
CONFIGS = ("deno.json", "deno.jsonc")
RESERVED = "SUPABASE_"
"""What the names of a project's own variables may not begin with, as on the platform."""

INHERITED = (
    *("HOME", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
    *("NPM_CONFIG_REGISTRY", "JSR_URL", "DENO_CERT", "DENO_TLS_CA_STORE"),
)
"""What Deno needs of our environment to fetch packages; functions see nothing else of it."""


@dataclass(frozen=True)
class _Running:
    files: int
    server: ChildServer


class FunctionRuntime:
    """Runs the functions of one project.

    Args:
        settings: where the API is and which keys hold.
        functions: where the functions are.
    """

    def __init__(self, settings: ApiSettings, functions: FunctionsSettings) -> None:
        self._settings = settings
        self._functions = functions
        self._running: dict[str, _Running] = {}
        self._changing: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def entry(self, name: str) -> Path | None:
        """The file a function begins with, or None when there is no such function."""
        file = self._functions.folder / name / ENTRY
        return file if file.is_file() else None

    async def port(self, name: str, entry: Path) -> int:
        """Where the function as it now is takes requests.

        Raises:
            NotServingError: it does not start.
        """
        async with self._changing[name]:
            files = await asyncio.to_thread(_fingerprint, self._functions.folder)
            running = self._running.get(name)
            if running is None or running.files != files:
                if running is not None:
                    await running.server.stop()
                running = self._running[name] = _Running(files, self._server(entry))
            return await running.server.port()

    async def end(self, name: str) -> None:
        """Ends a function's process; the next request starts it again."""
        running = self._running.pop(name, None)
        if running is not None:
            await running.server.stop()

    async def close(self) -> None:
        """Ends every process."""
        await asyncio.gather(*(self.end(name) for name in list(self._running)))

    def _server(self, entry: Path) -> ChildServer:
        command = self._command(entry)
        return ChildServer(lambda _: command, self._environment, self._functions.log)

    def _command(self, entry: Path) -> list[str]:
        """Deno with the platform's permissions: network and environment, no writing, no programs.

        Asking for a permission is answered with no, since nobody is there to be asked.
        """
        config = next((entry.parent / c for c in CONFIGS if (entry.parent / c).is_file()), None)
        return [
            *(str(self._functions.deno), "run", "--quiet", "--no-prompt", "--no-lock"),
            *("--allow-net", "--allow-env", "--allow-sys"),
            f"--allow-read={self._functions.folder}",
            f"--config={config}" if config else "--no-config",
            *(str(MAIN), entry.as_uri()),
        ]

    def _environment(self, port: int) -> dict[str, str]:
        keys = self._settings.keys
        own = dotenv_values(self._functions.folder / ".env", interpolate=False)
        return {
            **{name: os.environ[name] for name in INHERITED if name in os.environ},
            **{name: value or "" for name, value in own.items() if not name.startswith(RESERVED)},
            "SUPABASE_URL": self._settings.public_url,
            "SUPABASE_ANON_KEY": keys.anon,
            "SUPABASE_SERVICE_ROLE_KEY": keys.service_role,
            "SUPABASE_PUBLISHABLE_KEYS": json.dumps({"default": keys.publishable}),
            "SUPABASE_SECRET_KEYS": json.dumps({"default": keys.secret}),
            "SUPABASE_JWKS": json.dumps({"keys": []}),
            "SUPABASE_DB_URL": self._functions.db_url,
            "DENO_DIR": str(self._functions.cache),
            "DENO_SERVE_ADDRESS": f"tcp:{HOST}:{port}",
            "DENO_NO_UPDATE_CHECK": "1",
            "NO_COLOR": "1",
        }


def _fingerprint(folder: Path) -> int:
    """Changes with every file of the folder."""
    seen = []
    for base, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != "node_modules"]
        for path in (Path(base) / name for name in names):
            try:
                about = path.stat()
            except FileNotFoundError:
                continue
            seen.append((str(path), about.st_mtime_ns, about.st_size))
    return hash(tuple(sorted(seen)))
