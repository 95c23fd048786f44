"""Topics: a message step `topic://NAME` goes to every URL that has subscribed to the name."""

from __future__ import annotations

import msgspec

from services.coordinator.store import KeyValue, Store
from services.coordinator.transaction import now_utc

TOPIC_SCHEME = "topic://"
_CATEGORY = "topics"


class TopicError(Exception):
    """The topic does not allow what was asked."""


class _Subscriber(msgspec.Struct):
    url: str
    remark: str = ""


_decode = msgspec.json.Decoder(list[_Subscriber]).decode


class Topics:
    """Read from the store at each use, so that a subscription counts at once and at every instance."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def subscribers(self, topic: str) -> list[str]:
        value = await self._store.get_value(_CATEGORY, topic)
        urls = [subscriber.url for subscriber in _decode(value.v)] if value else []
        if not urls:
            raise TopicError("topic not found")
        return urls

    async def subscribe(self, topic: str, url: str, remark: str) -> None:
        if not topic:
            raise TopicError("empty topic")
        if not url:
            raise TopicError("empty url")
        value = await self._store.get_value(_CATEGORY, topic)
        known = _decode(value.v) if value else []
        if any(subscriber.url == url for subscriber in known):
            raise TopicError("this url exists")
        await self._write(topic, value, [*known, _Subscriber(url, remark)])

    async def unsubscribe(self, topic: str, url: str) -> None:
        if not topic:
            raise TopicError("empty topic")
        if not url:
            raise TopicError("empty url")
        value = await self._store.get_value(_CATEGORY, topic)
        if value is None:
            raise TopicError("no such a topic")
        known = _decode(value.v)
        if not known:
            raise TopicError("this topic is empty")
        left = [subscriber for subscriber in known if subscriber.url != url]
        if len(left) == len(known):
            raise TopicError("no such an url ")
        await self._write(topic, value, left)

    async def delete(self, topic: str) -> None:
        if not await self._store.delete_value(_CATEGORY, topic):
            raise TopicError("storage: NotFound")

    async def _write(self, topic: str, value: KeyValue | None, subscribers: list[_Subscriber]) -> None:
        now = now_utc()
        new = KeyValue(
            create_time=value.create_time if value else now,
            update_time=now,
            cat=_CATEGORY,
            k=topic,
            v=msgspec.json.encode(subscribers).decode(),
            version=value.version + 1 if value else 1,
        )
        if not await self._store.put_value(new, value.version if value else 0):
            raise TopicError("the topic changed meanwhile; try again")
