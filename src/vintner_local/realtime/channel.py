"""One joined topic of one connection."""

from __future__ import annotations

import asyncio
import logging
import random
import time
import uuid
from collections.abc import Coroutine, Sequence
from typing import Any

import psycopg
from psycopg_pool import PoolTimeout

from vintner_local.realtime import tokens
from vintner_local.realtime.authorization import ALL_RIGHTS, Rights, read_rights
from vintner_local.realtime.frames import (
    ClientMessage,
    Serializer,
    UserBroadcast,
    dumps,
    dumps_in_order,
)
from vintner_local.realtime.join import ChannelConfig, usable_token
from vintner_local.realtime.outbox import Outbox
from vintner_local.realtime.phash2 import phash2
from vintner_local.realtime.server import RealtimeServer
from vintner_local.realtime.stored import replayed_broadcasts
from vintner_local.realtime.subscriptions import (
    Audience,
    Selection,
    SubscribeError,
    Subscription,
    parse_selection,
    subscribe,
)
from vintner_local.realtime.tokens import Token, TokenError

log = logging.getLogger(__name__)

PREFIX = "realtime:"


class JoinError(Exception):
    """A join that fails; the message is the reason in the reply."""


class Channel:
    """A joined channel.

    Args:
        server: what all connections share.
        serializer: the client's wire format.
        outbox: where frames for the client go.
        message: the join.
        config: what it asks for.
        token: whom the channel speaks for.
    """

    def __init__(
        self,
        server: RealtimeServer,
        serializer: Serializer,
        outbox: Outbox,
        message: ClientMessage,
        config: ChannelConfig,
        token: Token,
    ) -> None:
        self._server = server
        self._serializer = serializer
        self._outbox = outbox
        self._config = config
        self._token = token
        self.phoenix_topic = message.topic
        self.topic = message.topic.removeprefix(PREFIX)
        self.join_ref = message.join_ref
        self._room = (self.topic, config.private)
        self._presence_key = config.presence.key or str(uuid.uuid4())
        self._rights: Rights = ALL_RIGHTS
        self._subscriptions: tuple[Subscription, ...] = ()
        self._audience = Audience.of(token)
        self._subscribing: asyncio.Task[None] | None = None
        self._expiring: asyncio.Task[None] | None = None
        self.closed = False

    @property
    def audience(self) -> Audience:
        """Whose eyes the subscriptions see with; a new token counts from its re-subscription."""
        return self._audience

    @property
    def subscriptions(self) -> Sequence[Subscription]:
        """The subscriptions that hold, in request order."""
        return self._subscriptions

    async def authorize(self) -> None:
        """Asks the policies, for a private channel.

        Raises:
            JoinError: the user may not read the topic.
        """
        if not self._config.private:
            return
        try:
            async with self._server.connection() as connection:
                self._rights = await read_rights(connection, self.topic, self._token)
        except (psycopg.Error, PoolTimeout) as error:
            log.warning("the policies of realtime.messages cannot be asked: %s", error)
            self._rights = Rights(read={}, write={})
        if not self._rights.read.get("broadcast"):
            raise JoinError(
                "Unauthorized: You do not have permissions to read from this Channel topic:"
                f" {self.topic}"
            )

    def join_response(self) -> str:
        """The response of a good join: the items echoed with their ids, in request order."""
        items = [
            {"id": phash2(item), **dict(sorted(item.items()))}
            for item in self._config.postgres_changes
        ]
        return f'{{"postgres_changes":{dumps_in_order(items)}}}'

    async def start(self) -> None:
        """Begins to deliver; called right after the join was answered."""
        self._server.hub.enter(self._room, self)
        if self._config.presence.enabled:
            state = self._server.hub.presence(self._room).state()
            self._push("presence_state", state)
        replay = self._config.broadcast.replay
        if replay is not None and self._config.private:
            async with self._server.connection() as connection:
                for stored in await replayed_broadcasts(connection, self.topic, replay):
                    self.hear_broadcast(stored)
        self._expiring = self._task(self._expire())
        if self._config.postgres_changes:
            self._subscribing = self._task(self._subscribe())

    def stop(self) -> None:
        """Delivers nothing more. The client is not told."""
        self.closed = True
        self._server.hub.ignore(self)
        self._server.hub.leave(self._room, self)
        current = asyncio.current_task()
        for task in (self._subscribing, self._expiring):
            if task is not None and task is not current:
                task.cancel()
        self._subscribing = None

    def tell_closed(self) -> None:
        """Tells the client that the channel is closed."""
        self._outbox.put(self._serializer.closed(self.phoenix_topic, self.join_ref))

    async def handle(self, message: ClientMessage) -> None:
        """Acts on a message of the client; unknown events are ignored.

        Args:
            message: any but a join or a leave.
        """
        if message.event == "access_token":
            await self._refresh(message.payload)
        elif message.event == "broadcast":
            self._broadcast(message)
        elif message.event == "presence" and isinstance(message.payload, dict):
            self._track(message, message.payload)

    def hear(self, event: str, payload: str) -> None:
        """Sends an event that all channels of the topic get alike."""
        self._outbox.put(self._serializer.fanned_out(self.phoenix_topic, event, payload))

    def hear_broadcast(self, broadcast: UserBroadcast) -> None:
        """Sends a broadcast, in binary form where the client's format has one."""
        frame = self._serializer.broadcast(self.phoenix_topic, broadcast)
        if frame is not None:
            self._outbox.put(frame)

    async def subscribe_again(self) -> None:
        """Checks the subscriptions anew, because the publication changed."""
        if self._subscribing is not None:
            self._subscribing.cancel()
        self._subscribing = self._task(self._subscribe())

    def _push(self, event: str, payload: str) -> None:
        self._outbox.put(self._serializer.push(self.phoenix_topic, self.join_ref, event, payload))

    def _system(self, status: str, message: str, extension: str = "postgres_changes") -> None:
        payload = {
            "channel": self.topic,
            "extension": extension,
            "message": message,
            "status": status,
        }
        self._push("system", dumps(payload))

    def _reply(self, message: ClientMessage) -> None:
        self._outbox.put(self._serializer.reply(message, "ok", "{}"))

    def _task(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return asyncio.create_task(work, name=f"channel {self.topic}")

    async def _subscribe(self) -> None:
        try:
            selections = [parse_selection(item) for item in self._config.postgres_changes]
            await self._subscribe_until_done(selections)
        except SubscribeError as error:
            self._server.hub.ignore(self)
            self._subscriptions = ()
            self._system("error", str(error))

    async def _subscribe_until_done(self, selections: list[Selection]) -> None:
        while True:
            audience = Audience.of(self._token)
            try:
                async with self._server.connection() as connection:
                    found = await subscribe(connection, selections, audience.role)
            except (psycopg.OperationalError, PoolTimeout) as error:
                log.warning("a subscription waits for the database: %s", str(error).strip())
                await self._pause(self._server.waits.retry_subscribe)
                continue
            if self._is_outdated():
                return
            self._subscriptions, self._audience = found, audience
            self._server.hub.listen(self)
            await self._server.confirmable()
            if not self._is_outdated():
                self._system("ok", "Subscribed to PostgreSQL")
            return

    def _is_outdated(self) -> bool:
        """Whether this task was cancelled, which what it waited for may have swallowed."""
        return asyncio.current_task() is not self._subscribing

    async def _pause(self, bounds: tuple[float, float]) -> None:
        await asyncio.sleep(random.uniform(*bounds))  # noqa: S311 - a pause, no secret

    async def _refresh(self, payload: Any) -> None:
        text = usable_token(payload)
        if text is None or text == self._token.text:
            return
        try:
            self._token = tokens.verify(self._server.keys, text)
            await self.authorize()
        except TokenError as error:
            self._end(error.at_refresh)
            return
        except JoinError as error:
            self._end(str(error))
            return
        if self._expiring is not None:
            self._expiring.cancel()
        self._expiring = self._task(self._expire())
        if self._config.postgres_changes:
            if self._subscribing is not None:
                self._subscribing.cancel()
            self._subscribing = self._task(self._subscribe_after_refresh())

    async def _subscribe_after_refresh(self) -> None:
        await self._pause(self._server.waits.resubscribe)
        await self._subscribe()

    async def _expire(self) -> None:
        await asyncio.sleep(self._token.expires - time.time())
        self._end(tokens.expired(time.time() - self._token.expires).at_refresh)

    def _end(self, reason: str) -> None:
        self._system("error", reason, extension="system")
        self.tell_closed()
        self.stop()

    def _broadcast(self, message: ClientMessage) -> None:
        if self._config.private and not self._rights.write.get("broadcast"):
            return
        skip = None if self._config.broadcast.self else self
        if isinstance(message.payload, UserBroadcast):
            self._server.hub.broadcast(self._room, message.payload, skip)
        else:
            payload = dumps(message.payload)
            self._server.hub.tell(self._room, "broadcast", payload, skip)
        if self._config.broadcast.ack:
            self._reply(message)

    def _track(self, message: ClientMessage, payload: dict[str, Any]) -> None:
        if self._config.private and not self._rights.write.get("presence"):
            return
        presence = self._server.hub.presence(self._room)
        event = str(payload.get("event", "")).lower()
        if event == "track":
            diff: str | None = presence.track(self, self._presence_key, payload.get("payload"))
        elif event == "untrack":
            diff = presence.untrack(self)
        else:
            return
        self._server.hub.tell(self._room, "presence_diff", diff)
        self._reply(message)
