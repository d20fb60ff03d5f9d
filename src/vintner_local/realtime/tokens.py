"""The JWTs that connections and channels speak with."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import jwt

from vintner_local.keys import Keys, is_opaque


@dataclass(frozen=True, slots=True)
class Token:
    """A verified JWT.

    Attributes:
        text: the JWT itself.
        claims: its payload.
        role: the database role it stands for.
        expires: when it expires, seconds since 1970.
    """

    text: str
    claims: dict[str, Any]
    role: str
    expires: float


class TokenError(Exception):
    """A token that is refused; each situation of the protocol words the reason in its own way.

    Attributes:
        at_connect: the text in the answer to a handshake.
        at_join: the reason in the reply to a join.
        at_refresh: the message of the `system` event that follows a bad new token.
    """

    def __init__(self, at_connect: str, at_join: str, at_refresh: str) -> None:
        super().__init__(at_connect)
        self.at_connect = at_connect
        self.at_join = at_join
        self.at_refresh = at_refresh


def expired(seconds: float) -> TokenError:
    """The refusal of a token that expired so many seconds ago."""
    text = f"Token has expired {int(seconds)} seconds ago"
    return TokenError("Token has expired", f"InvalidJWTToken: {text}", text)


def verify(keys: Keys, text: str) -> Token:
    """Checks signature, required claims and expiry.

    Args:
        keys: hold the secret that signs the stack's tokens.
        text: a JWT, or an opaque API key, which stands for the JWT of its role.

    Raises:
        TokenError: the token does not hold.
    """
    if is_opaque(text):
        text = keys.token_for(text) or text
    try:
        claims = jwt.decode(
            text,
            keys.jwt_secret,
            algorithms=["HS256"],
            options={
                "verify_exp": False,
                "verify_aud": False,
                "verify_nbf": False,
                "verify_iat": False,
                "verify_sub": False,
                "verify_jti": False,
            },
        )
    except jwt.InvalidSignatureError as error:
        reason = "Failed to validate JWT signature"
        raise TokenError(reason, f"JwtSignatureError: {reason}", ":signature_error") from error
    except jwt.InvalidTokenError as error:
        reason = "The token provided is not a valid JWT"
        raise TokenError(reason, f"MalformedJWT: {reason}", reason) from error
    role, expires = claims.get("role"), claims.get("exp")
    if not isinstance(role, str) or not isinstance(expires, int | float):
        reason = "Fields `role` and `exp` are required in JWT"
        raise TokenError(reason, f"InvalidJWTToken: {reason}", reason)
    late = time.time() - expires
    if late >= 0:
        raise expired(late)
    return Token(text, claims, role, expires)
