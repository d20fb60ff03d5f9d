"""The keys of one stack, in the two forms Supabase knows.

New projects hand out opaque keys (`sb_publishable_…`, `sb_secret_…`) that the gateway exchanges for
a JWT of the role they stand for; older ones hand out those JWTs themselves. Both are accepted.
"""

from __future__ import annotations

import hmac
import secrets
import time
from typing import Any

import jwt
from pydantic import BaseModel, ConfigDict

ISSUER = "supabase-local"
TEN_YEARS = 10 * 365 * 24 * 3600


class Keys(BaseModel):
    """Every secret a client or the API process needs.

    Attributes:
        jwt_secret: HS256 secret, at least 32 characters, that signs every token of the stack.
        publishable: opaque key for clients; stands for the role `anon`.
        secret: opaque key for servers; stands for the role `service_role`.
        anon: the legacy JWT of the role `anon`.
        service_role: the legacy JWT of the role `service_role`.
    """

    model_config = ConfigDict(frozen=True)

    jwt_secret: str
    publishable: str
    secret: str
    anon: str
    service_role: str

    @classmethod
    def generate(cls, jwt_secret: str | None = None) -> Keys:
        """Makes the keys of a new stack.

        Args:
            jwt_secret: the HS256 secret to sign with; a random one by default.
        """
        jwt_secret = jwt_secret or secrets.token_urlsafe(40)
        return cls(
            jwt_secret=jwt_secret,
            publishable=f"sb_publishable_{secrets.token_urlsafe(24)}",
            secret=f"sb_secret_{secrets.token_urlsafe(24)}",
            anon=_role_token(jwt_secret, "anon"),
            service_role=_role_token(jwt_secret, "service_role"),
        )

    def token_for(self, apikey: str) -> str | None:
        """The role JWT that an API key stands for, or None for an unknown key."""
        accepted = (
            (self.publishable, self.anon),
            (self.secret, self.service_role),
            (self.anon, self.anon),
            (self.service_role, self.service_role),
        )
        for known, token in accepted:
            if hmac.compare_digest(known.encode(), apikey.encode()):
                return token
        return None

    def sign(self, claims: dict[str, Any]) -> str:
        """A JWT (HS256) of the claims."""
        return jwt.encode(claims, self.jwt_secret, algorithm="HS256")


def is_opaque(token: str) -> bool:
    """Whether a token is one of Supabase's opaque API keys rather than a JWT."""
    return token.startswith("sb_")


def _role_token(jwt_secret: str, role: str) -> str:
    now = int(time.time())
    claims = {"iss": ISSUER, "role": role, "iat": now, "exp": now + TEN_YEARS}
    return jwt.encode(claims, jwt_secret, algorithm="HS256")
