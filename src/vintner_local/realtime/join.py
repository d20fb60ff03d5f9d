"""What a `phx_join` asks for."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, JsonValue, ValidationError


def _flag(value: object) -> object:
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


Flag = Annotated[bool, BeforeValidator(_flag)]
"""A boolean that old clients send as a string."""


_YEAR_9999 = 253_402_300_799_999


class ReplayConfig(BaseModel):
    """Which stored private broadcasts to send again: at most `limit` since `since` (ms)."""

    since: int = Field(ge=0, le=_YEAR_9999)
    limit: int = Field(default=25, ge=1, le=25)


class BroadcastConfig(BaseModel):
    """Broadcast options of a channel."""

    ack: Flag = False
    self: Flag = False
    replay: ReplayConfig | None = None


class PresenceConfig(BaseModel):
    """Presence options of a channel."""

    key: str = ""
    enabled: Flag = True


class ChannelConfig(BaseModel):
    """The `config` of a join; unknown keys are ignored."""

    broadcast: BroadcastConfig = BroadcastConfig()
    presence: PresenceConfig = PresenceConfig()
    postgres_changes: list[dict[str, JsonValue]] = Field(default_factory=list)
    private: Flag = False


class JoinRequest(BaseModel):
    """One parsed join.

    Attributes:
        config: its options; defaults where the client's were malformed.
        access_token: the JWT it brought, or None if the connection's own is to be used.
    """

    config: ChannelConfig
    access_token: str | None


def parse_join(topic: str, payload: Any) -> JoinRequest:
    """Reads a join's payload; malformed parts are replaced by defaults, never refused.

    Args:
        topic: the topic without `realtime:`. Clients before 2022 sent no `config` and named their
            subscription in it, as `schema:table:filter`.
        payload: the payload as decoded JSON.
    """
    payload = payload if isinstance(payload, dict) else {}
    if "config" in payload:
        config = _lenient_config(payload["config"])
    else:
        config = ChannelConfig(postgres_changes=_from_topic(topic))
    return JoinRequest(config=config, access_token=usable_token(payload))


def _lenient_config(given: Any) -> ChannelConfig:
    try:
        return ChannelConfig.model_validate(given)
    except ValidationError as error:
        if not isinstance(given, dict):
            return ChannelConfig()
        malformed = {problem["loc"][0] for problem in error.errors()}
        sound = {name: part for name, part in given.items() if name not in malformed}
        return ChannelConfig.model_validate(sound)


def usable_token(payload: Any) -> str | None:
    """The JWT in a payload; API keys (`sb_…`) and anything but a string count as none."""
    if not isinstance(payload, dict):
        return None
    token = payload.get("user_token") or payload.get("access_token")
    return token if isinstance(token, str) and not token.startswith("sb_") else None


def _from_topic(topic: str) -> list[dict[str, JsonValue]]:
    names = ("schema", "table", "filter")
    parts = dict(zip(names, topic.split(":", 2), strict=False))
    return [{"event": "*", **parts}]
