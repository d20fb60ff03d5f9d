"""Users and their identities: the rows of `auth.users` and `auth.identities`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, LiteralString, TypeAlias
from uuid import UUID, uuid4

from psycopg import AsyncConnection, errors, sql
from psycopg.rows import DictRow, class_row
from psycopg.types.json import Jsonb
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Db: TypeAlias = AsyncConnection[DictRow]
Metadata: TypeAlias = dict[str, Any]

AUDIENCE = "authenticated"
ROLE = "authenticated"
EMAIL_ONLY: Metadata = {"provider": "email", "providers": ["email"]}
INSTANCE = UUID(int=0)

Moment = Annotated[datetime | None, Field(exclude_if=lambda value: value is None)]
Text = Annotated[str, BeforeValidator(lambda value: value or "")]
TextIfAny = Annotated[Text, Field(exclude_if=lambda value: not value)]
Document = Annotated[Metadata, BeforeValidator(lambda value: value or {})]
Hidden = Annotated[str, Field(exclude=True, repr=False)]


class Row(BaseModel):
    """A row whose JSON is what clients see of it.

    A column that the real server cannot read as NULL fails validation, here as there.
    """

    model_config = ConfigDict(frozen=True, serialize_by_alias=True, hide_input_in_errors=True)

    def as_json(self) -> dict[str, Any]:
        """The row as clients see it."""
        return self.model_dump(mode="json")


class Identity(Row):
    """A row of auth.identities; its `id` for clients is what the provider calls the user."""

    id: UUID = Field(serialization_alias="identity_id")
    provider_id: str = Field(serialization_alias="id")
    user_id: UUID
    identity_data: Metadata
    provider: str
    last_sign_in_at: Moment
    created_at: datetime
    updated_at: datetime
    email: TextIfAny


class User(Row):
    """A row of auth.users, with the columns that Auth reads."""

    id: UUID
    aud: str
    role: str
    email: Text
    phone: Text
    encrypted_password: Annotated[Text, Field(exclude=True, repr=False)]
    email_confirmed_at: Moment
    invited_at: Moment
    phone_confirmed_at: Moment
    confirmation_token: Hidden
    confirmation_sent_at: Moment
    confirmed_at: Moment
    recovery_token: Hidden
    recovery_sent_at: Moment
    email_change_token_current: Hidden
    email_change_token_new: Hidden
    email_change: str = Field(serialization_alias="new_email", exclude_if=lambda value: not value)
    email_change_sent_at: Moment
    phone_change_token: Hidden
    phone_change: str = Field(serialization_alias="new_phone", exclude_if=lambda value: not value)
    reauthentication_token: Hidden
    last_sign_in_at: Moment
    raw_app_meta_data: Document = Field(serialization_alias="app_metadata")
    raw_user_meta_data: Document = Field(serialization_alias="user_metadata")
    created_at: datetime
    updated_at: datetime
    banned_until: Moment
    deleted_at: Moment
    is_anonymous: bool

    @property
    def is_banned(self) -> bool:
        """Whether a ban holds now."""
        return self.banned_until is not None and datetime.now(UTC) < self.banned_until

    def with_identities(self, identities: list[Identity]) -> dict[str, Any]:
        """The user as clients see it, complete."""
        return {**self.as_json(), "identities": [one.as_json() for one in identities]}


COLUMNS = sql.SQL(", ").join(sql.Identifier(column) for column in User.model_fields)
IDENTITY_COLUMNS = sql.SQL(", ").join(sql.Identifier(column) for column in Identity.model_fields)


async def find(db: Db, user_id: UUID, *, lock: bool = False) -> User | None:
    """The user with an id.

    Args:
        db: connection.
        user_id: its id.
        lock: keeps the row from changing until the transaction ends.
    """
    tail: LiteralString = "for no key update" if lock else ""
    condition: LiteralString = "instance_id = %s and id = %s "
    return await _first(db, condition + tail, [INSTANCE, user_id])


async def find_by_email(db: Db, email: str) -> User | None:
    """The user who signs in with an address, whatever the case of its letters."""
    condition: LiteralString = (
        "instance_id = %s and lower(email) = %s and aud = %s and not is_sso_user"
    )
    return await _first(db, condition, [INSTANCE, email.lower(), AUDIENCE])


async def find_holder(db: Db, email: str, *, besides: UUID | None = None) -> User | None:
    """Whoever has an address, as a user's or as an identity's.

    Args:
        db: connection.
        email: in lower case.
        besides: a user who does not count.
    """
    condition: LiteralString = (
        "instance_id = %s and aud = %s and not is_sso_user and id is distinct from %s"
        " and (lower(email) = %s or id in (select i.user_id from auth.identities as i"
        " where i.email = %s and i.provider not like 'sso:%%'))"
    )
    return await _first(db, condition, [INSTANCE, AUDIENCE, besides, email, email])


async def identities_of(db: Db, user_id: UUID) -> list[Identity]:
    """A user's identities, the oldest first."""
    async with db.cursor(row_factory=class_row(Identity)) as cursor:
        query = sql.SQL("select {} from auth.identities where user_id = %s order by created_at")
        await cursor.execute(query.format(IDENTITY_COLUMNS), [user_id])
        return await cursor.fetchall()


async def page(db: Db, number: int, size: int, search: str) -> tuple[list[User], int]:
    """One page of all users, the newest first.

    Args:
        db: connection.
        number: of the page, from 1.
        size: users a page.
        search: part of an address or full name; empty for all.

    Returns:
        The users, and how many there are on all pages.
    """
    condition = sql.SQL(
        "instance_id = %(instance)s and aud = %(aud)s and (%(search)s = '' or"
        " email like %(like)s or raw_user_meta_data ->> 'full_name' ilike %(like)s)"
    )
    values = {
        "instance": INSTANCE,
        "aud": AUDIENCE,
        "search": search,
        "like": f"%{search}%",
        "limit": size,
        "offset": (number - 1) * size,
    }
    counted = await db.execute(
        sql.SQL("select count(*) as n from auth.users where {}").format(condition), values
    )
    total = await counted.fetchone()
    async with db.cursor(row_factory=class_row(User)) as cursor:
        query = sql.SQL(
            "select {} from auth.users where {}"
            " order by created_at desc limit %(limit)s offset %(offset)s"
        )
        await cursor.execute(query.format(COLUMNS, condition), values)
        return await cursor.fetchall(), total["n"] if total else 0


async def insert(
    db: Db, email: str, password_hash: str, metadata: Metadata, user_id: UUID | None = None
) -> User:
    """Makes a user without role, identity or confirmation: what triggers on INSERT see.

    Args:
        db: connection.
        email: in lower case.
        password_hash: bcrypt.
        metadata: the user's own.
        user_id: a random one by default.

    Returns:
        The row after triggers have had their say.
    """
    made = user_id or uuid4()
    await db.execute(
        "insert into auth.users (instance_id, id, aud, role, email, encrypted_password,"
        " confirmation_token, recovery_token, email_change_token_new, email_change,"
        " raw_app_meta_data, raw_user_meta_data, is_super_admin, created_at, updated_at)"
        " values (%s, %s, %s, '', %s, %s, '', '', '', '', %s, %s, false, now(), now())",
        [INSTANCE, made, AUDIENCE, email, password_hash, Jsonb(EMAIL_ONLY), Jsonb(metadata)],
    )
    return await reload(db, made)


async def insert_identity(db: Db, user_id: UUID, email: str, data: Metadata) -> Metadata:
    """Gives a user the identity of an e-mail address.

    Args:
        db: connection.
        user_id: whose.
        email: in lower case.
        data: further members of the identity's data.

    Returns:
        The identity's data.
    """
    known = {"sub": str(user_id), "email": email, "email_verified": False, "phone_verified": False}
    identity_data = {**data, **known}
    await db.execute(
        "insert into auth.identities (provider_id, user_id, identity_data, provider,"
        " last_sign_in_at, created_at, updated_at)"
        " values (%s, %s, %s, 'email', now(), now(), now())",
        [str(user_id), user_id, Jsonb(identity_data)],
    )
    return identity_data


async def update_identity(db: Db, user_id: UUID, email: str, *, verified: bool) -> None:
    """Changes the address of a user's e-mail identity, or makes the identity."""
    changes = {"email": email, "email_verified": verified}
    changed = await db.execute(
        "update auth.identities set identity_data = identity_data || %s, updated_at = now()"
        " where provider_id = %s and provider = 'email'",
        [Jsonb(changes), str(user_id)],
    )
    if changed.rowcount == 0:
        await insert_identity(db, user_id, email, {})


async def update(db: Db, user_id: UUID, values: Mapping[str, object]) -> None:
    """Sets columns of a user; `updated_at` follows.

    Args:
        db: connection.
        user_id: whose.
        values: by column; a dict is stored as JSON.
    """
    settings = [
        sql.SQL("{} = {}").format(sql.Identifier(column), sql.Placeholder()) for column in values
    ]
    query = sql.SQL("update auth.users set {} where id = %s").format(
        sql.SQL(", ").join([*settings, sql.SQL("updated_at = now()")])
    )
    stored = [Jsonb(value) if isinstance(value, dict) else value for value in values.values()]
    await db.execute(query, [*stored, user_id])


async def reload(db: Db, user_id: UUID) -> User:
    """The user as it is now.

    Raises:
        psycopg.errors.NoDataFound: a trigger has deleted it.
    """
    user = await find(db, user_id)
    if user is None:
        raise errors.NoDataFound(f"user {user_id} is gone")
    return user


async def delete(db: Db, user_id: UUID) -> None:
    """Deletes a user with its identities, sessions and refresh tokens."""
    await db.execute("delete from auth.users where id = %s", [user_id])


def merged(known: Metadata, changes: Metadata) -> Metadata:
    """Metadata with changes applied; a change to null removes the member."""
    both = {**known, **changes}
    return {name: value for name, value in both.items() if changes.get(name, value) is not None}


async def _first(db: Db, condition: LiteralString, values: list[object]) -> User | None:
    query = sql.SQL("select {} from auth.users where ").format(COLUMNS) + sql.SQL(condition)
    async with db.cursor(row_factory=class_row(User)) as cursor:
        await cursor.execute(query, values)
        return await cursor.fetchone()
