"""Access tokens: what they say, and whether one holds."""

from __future__ import annotations

import time
from typing import Any

import jwt
from pydantic import BaseModel, ValidationError

from vintner_local.auth.errors import AuthError
from vintner_local.auth.sessions import Grant
from vintner_local.auth.users import Identity
from vintner_local.settings import ApiSettings

ALGORITHM = "HS256"


class Claims(BaseModel):
    """The claims of a token that Auth looks at."""

    sub: str = ""
    role: str = ""
    aud: str | list[str] = ""
    session_id: str = ""


def verify(token: str, secret: str) -> Claims:
    """Reads a token that this stack signed.

    Raises:
        AuthError: 403 `bad_jwt` for one that is malformed, forged or expired.
    """
    try:
        # The audience is checked where it matters: keys of the API roles have none.
        options: jwt.types.Options = {"verify_aud": False, "verify_iat": False}
        return Claims.model_validate(
            jwt.decode(token, secret, algorithms=[ALGORITHM], options=options)
        )
    except jwt.ExpiredSignatureError:
        reason = "token has invalid claims: token is expired"
    except jwt.ImmatureSignatureError:
        reason = "token has invalid claims: token is not valid yet"
    except jwt.InvalidSignatureError:
        reason = "token signature is invalid: signature is invalid"
    except jwt.InvalidAlgorithmError:
        reason = "token signature is invalid: signing method is invalid"
    except (jwt.InvalidTokenError, ValidationError):
        reason = "token is malformed"
    message = f"invalid JWT: unable to parse or verify signature, {reason}"
    raise AuthError(403, "bad_jwt", message)


def grant_answer(settings: ApiSettings, grant: Grant, identities: list[Identity]) -> dict[str, Any]:
    """The answer to every grant: a new access token with what goes along.

    Args:
        settings: who signs, and for how long.
        grant: the session.
        identities: the user's.
    """
    user = grant.user
    now = int(time.time())
    claims = {
        "iss": f"{settings.public_url}/auth/v1",
        "sub": str(user.id),
        "aud": user.aud,
        "exp": now + settings.jwt_expiry,
        "iat": now,
        "email": user.email,
        "phone": user.phone,
        "app_metadata": user.raw_app_meta_data,
        "user_metadata": user.raw_user_meta_data,
        "role": user.role,
        "aal": "aal1",
        "amr": [{"method": "password", "timestamp": int(grant.since.timestamp())}],
        "session_id": str(grant.session_id),
        "is_anonymous": user.is_anonymous,
    }
    return {
        "access_token": settings.keys.sign(claims),
        "token_type": "bearer",
        "expires_in": settings.jwt_expiry,
        "expires_at": claims["exp"],
        "refresh_token": grant.refresh_token,
        "user": user.with_identities(identities),
    }
