"""The typed client library of Vintner.

    with Vintner.from_env() as client:
        client.auth.sign_in(email=email, password=password)
        vine = client.vines.list(project_name="shop").first()
        job = client.vines.harvest(vine.id)
        for chunk in client.jobs.follow_logs(job.id):
            print(chunk.log_chunk, end="")

`AsyncVintner` is the same with `async` and `await`.

Public are the names below, `vintner_client.errors` and `vintner_client.models`; modules whose name
starts with `_` are not. The library reads no files but those of a `FileStorage`; it speaks to
PostgREST, Auth and Realtime of a Supabase project that has Vintner's migrations.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vintner_client import errors, models
    from vintner_client._async.client import AsyncVintner
    from vintner_client._async.rows import AsyncRows
    from vintner_client._live.state import LiveState
    from vintner_client._live.store import AsyncStore
    from vintner_client._live.sync_store import SyncStore
    from vintner_client._session import Session
    from vintner_client._storage import FileStorage, MemoryStorage, Storage
    from vintner_client._sync.client import Vintner
    from vintner_client._sync.rows import SyncRows
    from vintner_client._unset import UNSET, Unset
    from vintner_client.errors import VintnerError

__all__ = [
    "UNSET",
    "AsyncRows",
    "AsyncStore",
    "AsyncVintner",
    "FileStorage",
    "LiveState",
    "MemoryStorage",
    "Session",
    "Storage",
    "SyncRows",
    "SyncStore",
    "Unset",
    "Vintner",
    "VintnerError",
    "errors",
    "models",
]

# What is public is loaded when it is first asked for: a program needs one of the two clients.
_HOMES = {
    "AsyncVintner": "_async.client",
    "AsyncRows": "_async.rows",
    "LiveState": "_live.state",
    "AsyncStore": "_live.store",
    "SyncStore": "_live.sync_store",
    "Session": "_session",
    "FileStorage": "_storage",
    "MemoryStorage": "_storage",
    "Storage": "_storage",
    "Vintner": "_sync.client",
    "SyncRows": "_sync.rows",
    "UNSET": "_unset",
    "Unset": "_unset",
    "VintnerError": "errors",
}

if not TYPE_CHECKING:  # which would take every name for one that is here

    def __getattr__(name: str) -> Any:
        if name in ("errors", "models"):
            return import_module(f"{__name__}.{name}")
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
