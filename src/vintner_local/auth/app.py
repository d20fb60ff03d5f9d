"""The application: which path leads where."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from vintner_local.auth import account, admin, grants
from vintner_local.auth.database import open_pool
from vintner_local.auth.errors import answer_errors, not_here
from vintner_local.settings import SETTINGS, ApiSettings

ELSEWHERE = {
    "otp": "one-time passwords",
    "magiclink": "magic links",
    "recover": "password recovery by mail",
    "resend": "mail",
    "verify": "one-time passwords and links",
    "reauthenticate": "mail",
    "invite": "invitations by mail",
    "authorize": "OAuth providers",
    "callback": "OAuth providers",
    "oauth": "the OAuth server",
    "sso": "single sign-on",
    "saml": "single sign-on",
    "factors": "multi-factor authentication",
    "passkeys": "passkeys",
    "user/identities": "linked identities",
    "user/oauth": "the OAuth server",
    "admin/generate_link": "links for mail",
    "admin/audit": "the audit log",
    "admin/sso": "single sign-on",
    "admin/oauth": "the OAuth server",
    "admin/custom-providers": "OAuth providers",
}
"""What the real server has under these paths and this one has not."""


def create_app(settings: ApiSettings) -> web.Application:
    """Auth as one application, to be mounted at /auth/v1.

    Args:
        settings: where the database is, who signs, and for how long.
    """
    app = web.Application(middlewares=[answer_errors])
    app[SETTINGS] = settings
    app.cleanup_ctx.append(open_pool)
    app.router.add_post("/signup", grants.sign_up)
    app.router.add_post("/token", grants.token)
    app.router.add_get("/user", account.get)
    app.router.add_put("/user", account.update)
    app.router.add_post("/logout", account.log_out)
    app.router.add_get("/admin/users", admin.index)
    app.router.add_post("/admin/users", admin.create)
    app.router.add_get("/admin/users/{user_id}", admin.show)
    app.router.add_put("/admin/users/{user_id}", admin.update)
    app.router.add_delete("/admin/users/{user_id}", admin.delete)
    app.router.add_get("/settings", _settings)
    app.router.add_get("/health", _health)
    app.router.add_get("/.well-known/jwks.json", _keys)
    for path, feature in ELSEWHERE.items():
        app.router.add_route("*", f"/{path}{{rest:(/.*)?}}", _refuse(feature))
    app.router.add_route(
        "*", "/admin/users/{user_id}/factors{rest:(/.*)?}", _refuse("multi-factor authentication")
    )
    return app


async def _settings(_: web.Request) -> web.Response:
    body = {
        "external": {"anonymous_users": False, "email": True, "phone": False},
        "disable_signup": False,
        "mailer_autoconfirm": True,
        "phone_autoconfirm": False,
        "sms_provider": "",
        "saml_enabled": False,
    }
    return web.json_response(body)


async def _health(_: web.Request) -> web.Response:
    body = {
        "version": "vintner-local",
        "name": "GoTrue",
        "description": "GoTrue is a user registration and authentication API",
    }
    return web.json_response(body)


async def _keys(_: web.Request) -> web.Response:
    """Empty: a secret that signs with HS256 is not told."""
    return web.json_response({"keys": []})


def _refuse(feature: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def refuse(request: web.Request) -> web.Response:
        raise not_here(feature)

    return refuse
