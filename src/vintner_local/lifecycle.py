"""Starting, stopping and remaking a stack."""

from __future__ import annotations

import shutil
import signal
from dataclasses import dataclass
from pathlib import Path

from vintner_local import env_file, platform_sql, ports, postgrest
from vintner_local.errors import StackError
from vintner_local.install import Parts, Report, install
from vintner_local.keys import Keys
from vintner_local.launcher import start_supervisor, wait_for_api, wait_for_part
from vintner_local.migrate import push, reload_schema
from vintner_local.postgres import Cluster
from vintner_local.postmaster import find_server
from vintner_local.processes import ORDINARY_ENDING, POSTGRES_ENDING, ProcessRef
from vintner_local.server_user import (
    OPEN_DATA_FOLDER,
    ServerUser,
    place_for_cluster,
    remove_cluster,
    server_user,
)
from vintner_local.settings import (
    ApiSettings,
    FunctionsSettings,
    PostgrestSettings,
    RealtimeDelay,
)
from vintner_local.stack import (
    FUNCTIONS,
    SUPERUSER,
    Launch,
    Running,
    Stack,
    StackState,
    new_password,
)

LOGIN_ROLES = ("postgres", "authenticator", "supabase_auth_admin")
SUPERVISOR_ENDING = ((signal.SIGTERM, 25.0), (signal.SIGKILL, 5.0))
START_ATTEMPTS = 3


@dataclass(frozen=True)
class Wishes:
    """What a start may be asked for.

    Attributes:
        api_port: the API's port, 0 for any; None for the one used before.
        db_port: the same for PostgreSQL.
        env_file: where clients' variables are written; None for nowhere.
        owner: the process with which the stack ends; its folder goes too.
        realtime_delay: see `ApiSettings`; None for the one used before.
    """

    api_port: int | None = None
    db_port: int | None = None
    env_file: Path | None = None
    owner: ProcessRef | None = None
    realtime_delay: RealtimeDelay | None = None


def up(stack: Stack, wishes: Wishes, report: Report) -> StackState:
    """Starts the stack where it does not run, and applies the migrations it lacks.

    Args:
        stack: the stack.
        wishes: ports and files.
        report: told what happens, line by line.

    Returns:
        The state, with everything a client needs.

    Raises:
        StackError: it does not start, or a migration fails; in the latter case it runs on.
    """
    stack.config()
    parts = install(report)
    with stack.locked():
        return _up(stack, wishes, parts, report)


def down(stack: Stack, report: Report) -> None:
    """Stops the stack; its data stays.

    Raises:
        StackError: a process cannot be ended.
    """
    if not stack.folder.exists():
        report("there is no stack here")
        return
    with stack.locked():
        was_running = running(stack) is not None
        end_processes(stack)
        report("stopped" if was_running else "the stack was not running")


def reset(stack: Stack, wishes: Wishes, report: Report) -> StackState:
    """Drops all data and makes it again; keys, passwords and ports stay.

    Args:
        stack: the stack.
        wishes: see `up`.
        report: told what happens, line by line.

    Raises:
        StackError: see `up`.
    """
    stack.config()
    parts = install(report)
    with stack.locked():
        state = stack.load_state()
        end_processes(stack)
        if state is not None:
            remove_cluster(state.cluster)
        return _up(stack, wishes, parts, report)


def remove(stack: Stack) -> None:
    """Stops the stack and removes its folder and all data.

    Raises:
        StackError: a process cannot be ended.
    """
    if not stack.folder.exists():
        return
    with stack.locked():
        end_processes(stack)
        state = stack.load_state()
        if state is not None:
            remove_cluster(state.cluster)
    shutil.rmtree(stack.folder)


def running(stack: Stack) -> Running | None:
    """What runs, or None when the stack does not."""
    found = stack.load_running()
    return found if found is not None and found.supervisor.alive() else None


def end_processes(stack: Stack) -> None:
    """Ends the supervisor with its parts, and parts that outlived a killed supervisor.

    Raises:
        StackError: one of them does not end.
    """
    state, found = stack.load_state(), stack.load_running()
    left = []
    if found is not None:
        if not found.supervisor.end(SUPERVISOR_ENDING):
            left.append("supervisor")
        for name, part in found.parts.items():
            ending = POSTGRES_ENDING if name == "postgres" else ORDINARY_ENDING
            if not part.process.end(ending):
                left.append(name)
    orphan = find_server(state.cluster) if state is not None else None
    if orphan is not None and not orphan.end(POSTGRES_ENDING):
        left.append("postgres")
    if left:
        raise StackError(f"these processes of the stack do not end: {', '.join(left)}")
    stack.forget_running()


def start_again(stack: Stack, owner: ProcessRef | None, report: Report) -> None:
    """Starts a stopped stack as it is, without applying migrations.

    Args:
        stack: the stack, locked by the caller.
        owner: see `Wishes`.
        report: told what happens, line by line.

    Raises:
        StackError: it does not start.
    """
    wait_for_api(stack, _start(stack, Wishes(owner=owner), install(report), report))


def _up(stack: Stack, wishes: Wishes, parts: Parts, report: Report) -> StackState:
    state = stack.load_state()
    if state is None or running(stack) is None:
        end_processes(stack)
        state = _start(stack, wishes, parts, report)
    else:
        _refuse_other_ports(state, wishes)
        state = _with_delay(state, wishes)
        stack.save_state(state)
        _apply_config(stack, _api_settings(stack, state, parts))
    if wishes.env_file is not None:
        _write_variables(wishes.env_file, state)
    for name in push(stack, state, parts):
        report(f"applied {name}")
    wait_for_api(stack, state)
    reload_schema(state)
    return state


def _start(stack: Stack, wishes: Wishes, parts: Parts, report: Report) -> StackState:
    known = stack.load_state()
    user = server_user(known.cluster if known else None)
    for attempt in range(1, START_ATTEMPTS + 1):
        state = _choose_ports(_with_delay(_state(stack, user), wishes), wishes, report)
        stack.save_state(state)
        cluster = Cluster(state.cluster, parts, user)
        if not cluster.exists():
            report("making the database")
            cluster.create(SUPERUSER, LOGIN_ROLES, state.password)
        elif state.platform != platform_sql.fingerprint():
            report("the data was made by another version: `vintner-local reset` makes it anew")
        stack.save_launch(
            Launch(
                postgres=cluster.command(state.db_port),
                cluster=cluster.data,
                user=(user.uid, user.gid) if user else None,
                api=_api_settings(stack, state, parts),
                api_port=state.api_port,
                owner=wishes.owner,
            )
        )
        try:
            start_supervisor(stack)
            wait_for_part(stack, "postgres")
        except StackError:
            end_processes(stack)
            if attempt == START_ATTEMPTS or _are_free(state):
                raise
        else:
            return state
    raise AssertionError("the last attempt returns or raises")


def _are_free(state: StackState) -> bool:
    return ports.is_free(state.api_port) and ports.is_free(state.db_port)


def _state(stack: Stack, user: ServerUser | None) -> StackState:
    """What is remembered, or a new stack's secrets."""
    known = stack.load_state()
    if known is not None and known.cluster.exists():
        return known
    cluster = place_for_cluster(stack, user)
    if known is not None:
        update = {"cluster": cluster, "platform": platform_sql.fingerprint()}
        return known.model_copy(update=update)
    if cluster.is_relative_to(OPEN_DATA_FOLDER):
        _discard_abandoned(cluster)
    elif cluster.exists():
        raise StackError(
            f"{cluster} holds data of a stack whose passwords are lost: remove it to start anew"
        )
    return StackState(
        api_port=ports.DEFAULT_API_PORT,
        db_port=ports.DEFAULT_DB_PORT,
        keys=Keys.generate(),
        password=new_password(),
        cluster=cluster,
        platform=platform_sql.fingerprint(),
    )


def _choose_ports(state: StackState, wishes: Wishes, report: Report) -> StackState:
    wanted_api = state.api_port if wishes.api_port is None else wishes.api_port
    wanted_db = state.db_port if wishes.db_port is None else wishes.db_port
    api_port = ports.choose(wanted_api, besides=wanted_db)
    db_port = ports.choose(wanted_db, besides=api_port)
    for what, wanted, chosen in (
        ("API", wanted_api, api_port),
        ("database", wanted_db, db_port),
    ):
        if wanted not in (0, chosen):
            report(f"port {wanted} is taken: the {what} uses {chosen}")
    return state.model_copy(update={"api_port": api_port, "db_port": db_port})


def _refuse_other_ports(state: StackState, wishes: Wishes) -> None:
    asked = ((wishes.api_port, state.api_port), (wishes.db_port, state.db_port))
    if any(port not in (None, 0, present) for port, present in asked):
        raise StackError(
            f"the stack already runs on ports {state.api_port} and {state.db_port}: "
            "stop it first with `vintner-local down`"
        )


def _with_delay(state: StackState, wishes: Wishes) -> StackState:
    if wishes.realtime_delay is None:
        return state
    return state.model_copy(update={"realtime_delay": wishes.realtime_delay})


def _api_settings(stack: Stack, state: StackState, parts: Parts) -> ApiSettings:
    """What the API is told: what the stack remembers, config.toml, and the programs at hand."""
    config, real = stack.config(), postgrest.find_program()
    functions = FunctionsSettings(
        folder=stack.project / FUNCTIONS,
        deno=parts.deno,
        cache=stack.folder / "deno",
        log=stack.log("functions"),
        db_url=state.db_url("postgres"),
        unverified=tuple(name for name, own in config.functions.items() if not own.verify_jwt),
    )
    more = {
        "functions": functions,
        "postgrest": PostgrestSettings(program=real, log=stack.log("postgrest")) if real else None,
    }
    return state.api_settings(config.api).model_copy(update=more)


def _apply_config(stack: Stack, settings: ApiSettings) -> None:
    """Restarts the API of a running stack when it is to be told something new."""
    launch, runs = stack.load_launch(), running(stack)
    if launch is None or runs is None or launch.api == settings:
        return
    stack.save_launch(launch.model_copy(update={"api": settings}))
    if "api" in runs.parts:
        runs.parts["api"].process.end(ORDINARY_ENDING)


def _discard_abandoned(cluster: Path) -> None:
    """Whoever removed the stack's folder meant its data too, which lay elsewhere."""
    orphan = find_server(cluster)
    if orphan is not None:
        orphan.end(POSTGRES_ENDING)
    remove_cluster(cluster)
    cluster.parent.mkdir()
    cluster.parent.chmod(0o755)


def _write_variables(path: Path, state: StackState) -> None:
    try:
        env_file.write(path, state.variables())
    except OSError as error:
        raise StackError(f"{path} cannot be written: {error.strerror}") from error
