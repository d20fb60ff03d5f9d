"""What an HTTP answer that is not a success means: the one place that turns it into an error.

Bodies: PostgREST's `{code, message, details, hint}` (docs.postgrest.org, Errors), Auth's
`{code | error_code, message | msg}`, the gateway's `{message, hint}`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import httpx

from vintner_client import errors

REQUEST_ID = "sb-request-id"
"""The header in which Supabase's gateway names a request."""

SIGN_IN = "Sign in and try again."
MIGRATE = "Apply Vintner's migrations to the project (supabase db push), or update this client."
WAIT = "Wait a moment and try again."

BY_STATUS: dict[int, type[errors.VintnerError]] = {
    400: errors.InvalidInput,
    401: errors.NotSignedIn,
    403: errors.NotAllowed,
    404: errors.NotFound,
    409: errors.Conflict,
    422: errors.InvalidInput,
    423: errors.Conflict,
    429: errors.RateLimited,
}

# what the checks of the database ask for, where its answer names the column alone
WANTED = {
    "terraform_version": "major, minor and patch are wanted, as in 1.11.4",
    "cluster_version": "major and minor are wanted, as in 1.31",
    "project_name": (
        "2 to 40 lower-case letters, digits and hyphens are wanted, "
        "a letter first and no hyphen last"
    ),
    "region": "it may not be empty",
}

Violation = Callable[[str, str], tuple[type[errors.VintnerError], str]]


def error_from(response: httpx.Response) -> errors.VintnerError:
    """The error that an answer stands for.

    Args:
        response: an answer whose status is not a success and whose body has been read.
    """
    error = _meaning(response)
    error.request_id = response.headers.get(REQUEST_ID)
    return error


def _meaning(response: httpx.Response) -> errors.VintnerError:
    body = _body(response)
    status = response.status_code
    message = str(body.get("message") or body.get("msg") or body.get("error_description") or "")
    if "error_code" in body or (response.url.path.startswith("/auth/") and "details" not in body):
        error = _auth_error(body, status, message)
    elif status == 401 and "code" not in body and "api key" in message.lower():
        error = None
    else:
        error = _database_error(body, status, message)
    if error is not None:
        return error
    if status == 401 and "api key" in message.lower():
        return errors.WrongKey(
            "The API key is missing or wrong.",
            hint="Check SUPABASE_PUBLISHABLE_KEY against the project's keys.",
            status=status,
        )
    if status >= 500:
        return errors.ServerFailed(
            message or f"The server answered {status}.",
            hint=WAIT,
            code=_text(body.get("code")) or f"http_{status}",
            status=status,
        )
    kind = BY_STATUS.get(status, errors.ServerFailed)
    return kind(
        _sentence(message) or f"The server answered {status}.",
        hint=str(body.get("hint") or ("" if status != 429 else WAIT)),
        code=_text(body.get("code")) or f"http_{status}",
        status=status,
    )


def _body(response: httpx.Response) -> dict[str, Any]:
    try:
        body = json.loads(response.content)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _auth_error(body: dict[str, Any], status: int, message: str) -> errors.VintnerError | None:
    code = _text(body.get("error_code")) or _text(body.get("code"))
    kind: type[errors.VintnerError]
    hint = ""
    match code:
        case "invalid_credentials":
            kind, message = errors.WrongCredentials, "The e-mail or the password is wrong."
        case "email_not_confirmed":
            kind = errors.EmailNotConfirmed
            message, hint = "The e-mail address is not confirmed.", "Follow the link sent to it."
        case "user_already_exists" | "email_exists":
            kind = errors.Conflict
            message, hint = "There is a user with this e-mail already.", "Sign in instead."
        case (
            "refresh_token_not_found"
            | "refresh_token_already_used"
            | "session_not_found"
            | "session_expired"
            | "bad_jwt"
            | "user_not_found"
            | "no_authorization"
        ):
            kind, message, hint = errors.NotSignedIn, "The session has ended.", "Sign in again."
        case None:
            return None
        case _:
            if status >= 500:
                return None
            kind = BY_STATUS.get(status, errors.InvalidInput)
            hint = WAIT if status == 429 else ""
    return kind(_sentence(message), hint=hint, code=code, status=status)


def _database_error(body: dict[str, Any], status: int, message: str) -> errors.VintnerError | None:
    code = _text(body.get("code"))
    details = body.get("details")
    hint = str(body.get("hint") or "")
    if code is None:
        return None
    if code.startswith("PT"):
        rule = details if isinstance(details, str) else None
        kind = errors.BY_CODE.get(rule or "") or BY_STATUS.get(status, errors.ServerFailed)
        return kind(message, hint=hint, code=rule or code, status=status)
    if code.startswith("PGRST3"):
        return errors.NotSignedIn(
            "The session is not accepted.", hint="Sign in again.", code=code, status=status
        )
    if code in ("PGRST202", "PGRST205", "PGRST106"):
        return errors.SchemaMissing(_sentence(message), hint=MIGRATE, code=code, status=status)
    if code == "PGRST116":
        return errors.NotFound("There is no such row.", code=code, status=status)
    if code == "42501":
        if status == 401:
            return errors.NotSignedIn(
                "This needs a signed-in user.", hint=SIGN_IN, code=code, status=status
            )
        return errors.NotAllowed(
            "Your role does not allow this.",
            hint="Ask an owner or admin of the account.",
            code=code,
            status=status,
        )
    violation = VIOLATIONS.get(code)
    if violation is None:
        return None
    violated, sentence = violation(message, details if isinstance(details, str) else "")
    return violated(sentence, hint=hint, code=code, status=status)


def _check(message: str, _: str) -> tuple[type[errors.VintnerError], str]:
    found = re.search(r'relation "(\w+)" violates check constraint "(\w+)"', message)
    if not found:
        return errors.InvalidInput, _sentence(message)
    table, constraint = found.groups()
    column = re.sub(r"_check\d*$", "", constraint.removeprefix(f"{table}_"))
    if column in ("", "check"):
        return errors.InvalidInput, f"Values of the {_thing(table)} do not go together."
    sentence = f"The {column} of the {_thing(table)} is not one that is accepted"
    wanted = WANTED.get(column)
    return errors.InvalidInput, f"{sentence}: {wanted}." if wanted else f"{sentence}."


def _unique(message: str, _: str) -> tuple[type[errors.VintnerError], str]:
    # the constraint's name tells it: under row-level security PostgreSQL keeps the details back
    found = re.search(
        r'unique constraint "(\w+?)_(?:user|account|vine|vineyard)_id(?:_(\w+))?_key"', message
    )
    if not found:
        return errors.Conflict, _sentence(message)
    table, column = found.groups()
    which = f" with this {column}" if column else ""
    return errors.Conflict, f"There is a {_thing(table)}{which} already."


def _foreign_key(message: str, details: str) -> tuple[type[errors.VintnerError], str]:
    missing = re.search(r'Key \((\w+?)(?:_id)?\)=\((.*)\) is not present in table "(\w+)"', details)
    if missing:
        name, value, _ = missing.groups()
        return errors.NotFound, f"There is no {name.replace('_', ' ')} {value}."
    used = re.search(r'still referenced from table "(\w+)"', details)
    if used:
        return errors.Conflict, f"It is still used by {used.group(1).replace('_', ' ')}."
    return errors.Conflict, _sentence(message)


def _malformed(message: str, _: str) -> tuple[type[errors.VintnerError], str]:
    no_list = re.fullmatch(r'malformed array literal: "(.*)"', message, re.DOTALL)
    if no_list:
        return errors.InvalidInput, f'"{no_list.group(1)}" is not a list.'
    found = re.search(
        r'invalid input (?:syntax for type|value for enum) ([\w. ]+): "(.*)"', message
    )
    if not found:
        return errors.InvalidInput, _sentence(message)
    kind, value = found.groups()
    return errors.InvalidInput, f'"{value}" is not a valid {_thing(kind.rpartition(".")[2])}.'


def _not_null(message: str, _: str) -> tuple[type[errors.VintnerError], str]:
    found = re.search(r'column "(\w+)" of relation "(\w+)"', message)
    if not found:
        return errors.InvalidInput, _sentence(message)
    column, table = found.groups()
    return errors.InvalidInput, f"The {_thing(table)} needs a {column}."


VIOLATIONS: dict[str, Violation] = {
    "23514": _check,
    "23505": _unique,
    "23503": _foreign_key,
    "23502": _not_null,
    "22P02": _malformed,
    "22007": _malformed,
    "22003": lambda message, _: (errors.InvalidInput, _sentence(message)),
}


def _thing(name: str) -> str:
    """`vine_databases` as people say it: `database`."""
    name = re.sub(r"^vine_(?=\w)", "", name) if name != "vine_status" else name
    name = name.replace("_", " ")
    if name.endswith("ies"):
        return name[:-3] + "y"
    return name[:-1] if name.endswith("s") and not name.endswith(("ss", "us", "dns")) else name


def _sentence(message: str) -> str:
    message = message.strip()
    if not message:
        return ""
    message = message[0].upper() + message[1:]
    return message if message[-1] in ".!?" else f"{message}."


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
