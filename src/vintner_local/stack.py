"""One stack is one folder: what lies in it, and what is remembered between two starts."""

from __future__ import annotations

import fcntl
import secrets
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, Field, ValidationError

from vintner_local.errors import StackError
from vintner_local.files import write_private
from vintner_local.keys import Keys
from vintner_local.ports import HOST
from vintner_local.processes import ProcessRef
from vintner_local.settings import ApiSettings, RealtimeDelay

CONFIG = Path("supabase/config.toml")
FUNCTIONS = Path("supabase/functions")
DATA_FOLDER = ".vintner"
PARTS = ("postgres", "api")
LOGS = (*PARTS, "functions", "postgrest", "supervisor")
"""Whatever has a log of its own; the API runs the functions and PostgREST."""

SUPERUSER = "supabase_admin"

Model = TypeVar("Model", bound=BaseModel)


class ApiConfig(BaseModel):
    """The table `[api]` of config.toml, with Supabase's own defaults."""

    schemas: tuple[str, ...] = Field(default=("public",), min_length=1)
    extra_search_path: tuple[str, ...] = ("public", "extensions")
    max_rows: int = 1000


class FunctionConfig(BaseModel):
    """A table `[functions.<name>]` of config.toml."""

    verify_jwt: bool = True


class ProjectConfig(BaseModel):
    """What the stack reads of a project's config.toml."""

    api: ApiConfig = ApiConfig()
    functions: dict[str, FunctionConfig] = Field(default_factory=dict)


class StackState(BaseModel):
    """What stays the same from start to start.

    Attributes:
        api_port: port of the API on the loopback address.
        db_port: port of PostgreSQL there.
        keys: the API keys.
        password: of every role that logs in to the database, as Supabase has it.
        cluster: PostgreSQL's data folder.
        platform: fingerprint of the platform SQL that the cluster was made with.
        realtime_delay: see `ApiSettings`.
    """

    api_port: int
    db_port: int
    keys: Keys
    password: str
    cluster: Path
    platform: str = ""
    realtime_delay: RealtimeDelay = "0"

    def db_url(self, role: str) -> str:
        """The database as one of the login roles."""
        return f"postgresql://{role}:{self.password}@{HOST}:{self.db_port}/postgres"

    @property
    def api_url(self) -> str:
        """The API, without a trailing slash."""
        return f"http://{HOST}:{self.api_port}"

    def variables(self) -> dict[str, str]:
        """What clients need, by the names they look for in the environment."""
        return {
            "SUPABASE_URL": self.api_url,
            "SUPABASE_PUBLISHABLE_KEY": self.keys.publishable,
            "SUPABASE_SECRET_KEY": self.keys.secret,
            "SUPABASE_JWT_SECRET": self.keys.jwt_secret,
            "SUPABASE_DB_URL": self.db_url("postgres"),
            "SUPABASE_ADMIN_DB_URL": self.db_url(SUPERUSER),
        }

    def api_settings(self, config: ApiConfig) -> ApiSettings:
        """What the API process is told, for a project's configuration."""
        return ApiSettings(
            public_url=self.api_url,
            rest_dsn=self.db_url("authenticator"),
            auth_dsn=self.db_url("supabase_auth_admin"),
            realtime_dsn=self.db_url(SUPERUSER),
            schemas=config.schemas,
            extra_search_path=config.extra_search_path,
            max_rows=config.max_rows,
            keys=self.keys,
            realtime_delay=self.realtime_delay,
        )


class Launch(BaseModel):
    """What the supervisor is told: how to run PostgreSQL and the API.

    Attributes:
        postgres: PostgreSQL's command line.
        cluster: its data folder.
        user: uid and gid it runs with; None for those of the supervisor.
        api: the API's settings.
        api_port: the API's port.
        owner: the process with which the stack and its folder go; None for one that outlives it.
    """

    postgres: list[str]
    cluster: Path
    user: tuple[int, int] | None
    api: ApiSettings
    api_port: int
    owner: ProcessRef | None


class PartStatus(BaseModel):
    """One process of the stack as the supervisor sees it.

    Attributes:
        process: the process last started.
        ready: whether it took requests since then.
        restarts: how often it was started again.
    """

    process: ProcessRef
    ready: bool = False
    restarts: int = 0


class Running(BaseModel):
    """What the supervisor says of itself and its parts."""

    supervisor: ProcessRef
    parts: dict[str, PartStatus] = Field(default_factory=dict)


@dataclass(frozen=True)
class Stack:
    """The place of one stack.

    Attributes:
        project: the folder that holds `supabase/config.toml`.
        folder: the stack's own folder.
    """

    project: Path
    folder: Path

    @property
    def logs(self) -> Path:
        """The folder of the log files."""
        return self.folder / "logs"

    @property
    def snapshots(self) -> Path:
        """The folder of the snapshots."""
        return self.folder / "snapshots"

    def log(self, part: str) -> Path:
        """The log file of a part, or of the supervisor."""
        return self.logs / f"{part}.log"

    def make_folder(self) -> None:
        """Makes the stack's folder, which other users may pass through but not list.

        Raises:
            StackError: it cannot be made or written to.
        """
        try:
            if not self.folder.exists():
                self.folder.mkdir(parents=True)
                self.folder.chmod(0o711)
            self.logs.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise StackError(
                f"the stack's folder {self.folder} cannot be used ({error.strerror}): "
                "make it writable for you, or choose another one with --data"
            ) from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other commands from changing the stack meanwhile."""
        self.make_folder()
        try:
            file = (self.folder / "lock").open("a")
        except OSError as error:
            raise StackError(
                f"the stack's folder {self.folder} cannot be used ({error.strerror}): it may "
                "belong to another user; choose another folder with --data"
            ) from error
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def load_state(self) -> StackState | None:
        """What was remembered, or None for a stack that was never started."""
        return self._load("state.json", StackState)

    def save_state(self, state: StackState) -> None:
        """Remembers the state."""
        self._save("state.json", state)

    def load_launch(self) -> Launch | None:
        """What the supervisor is told."""
        return self._load("launch.json", Launch)

    def save_launch(self, launch: Launch) -> None:
        """Tells the supervisor; it reads this again before it starts a part."""
        self._save("launch.json", launch)

    def load_running(self) -> Running | None:
        """What the supervisor last said; it may have died since."""
        return self._load("running.json", Running)

    def save_running(self, running: Running) -> None:
        """Says what runs."""
        self._save("running.json", running)

    def forget_running(self) -> None:
        """Nothing runs any more."""
        (self.folder / "running.json").unlink(missing_ok=True)

    def config(self) -> ProjectConfig:
        """Reads the project's config.toml.

        Raises:
            StackError: it is missing or not valid.
        """
        path = self.project / CONFIG
        try:
            return ProjectConfig.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError as error:
            raise StackError(f"{path} is missing: run `supabase init` in the project") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise StackError(f"{path} is not valid TOML: {error}") from error
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(step) for step in first["loc"])
            raise StackError(f"{path}: {where}: {first['msg']}") from error

    def _load(self, name: str, model: type[Model]) -> Model | None:
        path = self.folder / name
        try:
            return model.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except PermissionError as error:
            raise StackError(
                f"{path} belongs to another user: run as that user, or choose another folder "
                "with --data"
            ) from error
        except ValidationError as error:
            raise StackError(
                f"{path} is damaged: end the stack's processes, remove {self.folder} and run "
                "`vintner-local up` again"
            ) from error

    def _save(self, name: str, model: BaseModel) -> None:
        write_private(self.folder / name, model.model_dump_json(indent=2) + "\n")


def find_stack(project: Path | None = None, folder: Path | None = None) -> Stack:
    """The stack that a command speaks of.

    Args:
        project: the project's folder; by default the nearest one upwards from the working folder.
        folder: the stack's folder; by default `.vintner` in the project.

    Raises:
        StackError: there is no project here.
    """
    if project is None:
        here = Path.cwd()
        project = next((p for p in (here, *here.parents) if (p / CONFIG).is_file()), None)
        if project is None:
            raise StackError(
                f"no {CONFIG} here or in a folder above: go to a project or name it by --project"
            )
    elif not (project / CONFIG).is_file():
        raise StackError(f"{project} holds no {CONFIG}: it is not a Supabase project")
    project = project.resolve()
    return Stack(project, (folder or project / DATA_FOLDER).resolve())


def new_password() -> str:
    """A password that needs no escaping in a URL."""
    return secrets.token_urlsafe(24)
