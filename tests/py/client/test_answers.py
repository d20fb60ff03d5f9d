"""Bodies as PostgREST 14, Auth and the gateway send them, and the errors they become."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from vintner_client import errors
from vintner_client._answers import error_from

REST = "https://project.example.com/rest/v1/vines"
AUTH = "https://project.example.com/auth/v1/token"


def answer(status: int, body: Any, url: str = REST) -> httpx.Response:
    content = body if isinstance(body, str) else json.dumps(body)
    return httpx.Response(status, text=content, request=httpx.Request("POST", url))


def database(code: str, message: str, details: str | None = None, hint: str | None = None) -> Any:
    return {"code": code, "details": details, "hint": hint, "message": message}


@pytest.mark.parametrize(
    ("status", "body", "kind", "text"),
    [
        (
            409,
            database("PT409", "The vine a/b is DESTROYED.", "vine_destroyed", "Plant a new vine."),
            errors.VineDestroyed,
            "The vine a/b is DESTROYED. Plant a new vine.",
        ),
        (
            403,
            database("PT403", "The log is append-only.", "audit_append_only", "Leave it."),
            errors.NotAllowed,
            "The log is append-only. Leave it.",
        ),
        (
            409,
            database("PT409", "Something new.", "a_code_of_a_newer_database", "Do this."),
            errors.Conflict,
            "Something new. Do this.",
        ),
        (
            400,
            database(
                "23514",
                'new row for relation "vine_databases" violates check constraint '
                '"vine_databases_port_check"',
            ),
            errors.InvalidInput,
            "The port of the database is not one that is accepted.",
        ),
        (
            400,
            database(
                "23514",
                'new row for relation "vine_databases" violates check constraint '
                '"vine_databases_check"',
            ),
            errors.InvalidInput,
            "Values of the database do not go together.",
        ),
        (
            409,
            database(
                "23505",
                'duplicate key value violates unique constraint "vineyards_user_id_name_key"',
            ),
            errors.Conflict,
            "There is a vineyard with this name already.",
        ),
        (
            409,
            database(
                "23505",
                "duplicate key value violates unique constraint "
                '"vine_container_registries_vine_id_name_key"',
                "Key (vine_id, name)=(…, api) already exists.",
            ),
            errors.Conflict,
            "There is a container registry with this name already.",
        ),
        (
            409,
            database(
                "23503",
                'insert or update on table "vines" violates foreign key constraint '
                '"vines_vineyard_id_fkey"',
                'Key (vineyard_id)=(6c0f) is not present in table "vineyards".',
            ),
            errors.NotFound,
            "There is no vineyard 6c0f.",
        ),
        (
            409,
            database(
                "23503",
                'update or delete on table "cloud_identities" violates foreign key constraint '
                '"vines_cloud_identity_id_fkey" on table "vines"',
                'Key (id)=(6c0f) is still referenced from table "vines".',
            ),
            errors.Conflict,
            "It is still used by vines.",
        ),
        (
            400,
            database("22P02", 'invalid input value for enum environment_stage: "prod"'),
            errors.InvalidInput,
            '"prod" is not a valid environment stage.',
        ),
        (
            400,
            database("22P02", 'invalid input syntax for type uuid: "xx"'),
            errors.InvalidInput,
            '"xx" is not a valid uuid.',
        ),
        (
            400,
            database(
                "23502",
                'null value in column "region" of relation "vines" violates not-null constraint',
            ),
            errors.InvalidInput,
            "The vine needs a region.",
        ),
        (
            403,
            database("42501", 'new row violates row-level security policy for table "vines"'),
            errors.NotAllowed,
            "Your role does not allow this. Ask an owner or admin of the account.",
        ),
        (
            401,
            database("42501", "permission denied for table vines"),
            errors.NotSignedIn,
            "This needs a signed-in user. Sign in and try again.",
        ),
        (
            401,
            database("PGRST303", "JWT expired"),
            errors.NotSignedIn,
            "The session is not accepted. Sign in again.",
        ),
        (
            404,
            database("PGRST205", "Could not find the table 'public.vines' in the schema cache"),
            errors.SchemaMissing,
            "Could not find the table 'public.vines' in the schema cache. Apply Vintner's "
            "migrations to the project (supabase db push), or update this client.",
        ),
        (
            401,
            {"message": "Invalid API key", "hint": "Double check your Supabase API key."},
            errors.WrongKey,
            "The API key is missing or wrong. Check SUPABASE_PUBLISHABLE_KEY against the "
            "project's keys.",
        ),
        (
            503,
            database("PGRST001", "Database client error. Retrying the connection."),
            errors.ServerFailed,
            "Database client error. Retrying the connection. Wait a moment and try again.",
        ),
        (
            502,
            "<html>Bad gateway</html>",
            errors.ServerFailed,
            "The server answered 502. Wait a moment and try again.",
        ),
        (404, "", errors.NotFound, "The server answered 404."),
    ],
)
def test_a_database_answer_becomes_one_error(
    status: int, body: Any, kind: type[errors.VintnerError], text: str
) -> None:
    error = error_from(answer(status, body))

    assert type(error) is kind
    assert f"{error.message} {error.hint}".strip() == text
    assert error.status == status


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (
            400,
            {"code": "invalid_credentials", "message": "Invalid login credentials"},
            errors.WrongCredentials,
        ),
        (
            400,
            {
                "code": 400,
                "error_code": "invalid_credentials",
                "msg": "Invalid login credentials",
            },
            errors.WrongCredentials,
        ),
        (
            422,
            {"code": "user_already_exists", "message": "User already registered"},
            errors.Conflict,
        ),
        (
            422,
            {
                "code": "weak_password",
                "message": "Password should be at least 6 characters.",
                "weak_password": {"reasons": ["length"]},
            },
            errors.InvalidInput,
        ),
        (
            400,
            {"code": "refresh_token_not_found", "message": "Invalid Refresh Token"},
            errors.NotSignedIn,
        ),
        (429, {"code": "over_request_rate_limit", "message": "Too fast"}, errors.RateLimited),
        (500, {"code": "unexpected_failure", "message": "Oops"}, errors.ServerFailed),
        (401, {"message": "No API key found in request", "hint": "No `apikey`"}, errors.WrongKey),
    ],
)
def test_an_answer_of_auth_becomes_one_error(
    status: int, body: Any, kind: type[errors.VintnerError]
) -> None:
    error = error_from(answer(status, body, AUTH))

    assert type(error) is kind
    assert "\n" not in str(error)
    assert str(error)


def test_the_code_is_kept_for_programs() -> None:
    busy = error_from(answer(409, database("PT409", "Busy.", "vine_busy", "Wait.")))
    taken = error_from(answer(409, database("23505", "duplicate key")))

    assert (busy.code, busy.message, busy.hint) == ("vine_busy", "Busy.", "Wait.")
    assert taken.code == "23505"
