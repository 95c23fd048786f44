"""The Redis store: DTM's keys. Each operation is one Lua script, so each is atomic and costs one round trip.

Keys, behind a prefix with a hash tag: `_g_<gid>` the transaction, `_b_<gid>` its branches, `_s_<gid>` its status alone,
`_u` the unfinished gids by the second in which they fall due, `_kv_<category>_<key>`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from services.common.errors import ShopError, Unavailable, UnknownOutcome
from services.common.redis import Redis, Script
from services.coordinator.store import Filter, KeyValue, StatusConflict, Stored, Submitted, readable
from services.coordinator.transaction import Branch, Transaction, seconds_up

_FOLDER = Path(__file__).parent / "scripts"
_CREATE, _SUBMIT, _SAVE, _LEASE, _MAKE_DUE, _PUT_VALUE = (
    Script((_FOLDER / f"{name}.lua").read_text())
    for name in ("create", "submit", "save", "lease", "make_due", "put_value")
)
_encode = msgspec.json.Encoder().encode
_read_transaction = msgspec.json.Decoder(Transaction).decode
_read_branch = msgspec.json.Decoder(Branch).decode
_read_value = msgspec.json.Decoder(KeyValue).decode


class RedisStore:
    """A resource, and a Store (store.py). Times to live in seconds."""

    def __init__(self, redis: Redis, prefix: str, unfinished_ttl: int, finished_ttl: int) -> None:
        self.name = redis.name
        self._redis = redis
        self._prefix = prefix
        self._due = f"{prefix}_u"
        self._unfinished_ttl = unfinished_ttl
        self._finished_ttl = finished_ttl

    async def open(self) -> None:
        await self._redis.open()

    async def close(self) -> None:
        await self._redis.close()

    async def check(self) -> None:
        await self._redis.check()

    async def create(self, new: Stored) -> bool:
        return bool(await self._run(_CREATE, self._keys(new.trans.gid), self._arguments(new)))

    async def submit(self, new: Stored) -> Submitted:
        arguments = self._arguments(new)
        arguments[5:5] = [_json_time(new.trans.update_time), _json_time(new.trans.next_cron_time)]
        found = await self._run(_SUBMIT, self._keys(new.trans.gid), arguments)
        if found is None:
            return Submitted(new, moved=True)
        moved, trans, branches = found
        return Submitted(_read_stored(trans, branches), moved=bool(moved))

    async def save(self, trans: Transaction, expected: str, changed: Mapping[int, Branch]) -> None:
        arguments: list[str | bytes | int] = [
            expected,
            _encode(trans),
            trans.status,
            "" if trans.finished else _score(trans),
            trans.gid,
            self._finished_ttl if trans.finished else self._unfinished_ttl,
        ]
        for position, branch in changed.items():
            arguments += (position, _encode(branch))
        if not await self._run(_SAVE, self._keys(trans.gid), arguments):
            raise StatusConflict(trans.gid)

    async def load(self, gid: str) -> Stored | None:
        transaction, branches, _, _ = self._keys(gid)

        async def read() -> Any:
            async with self._redis.client.pipeline(transaction=True) as pipeline:
                pipeline.get(transaction)
                pipeline.lrange(branches, 0, -1)
                return await pipeline.execute()

        trans, rows = await self._read(read)
        return _read_stored(trans, rows) if trans else None

    async def lease(self, now: datetime, until: datetime, limit: int) -> list[Stored]:
        arguments: list[str | bytes | int] = [self._prefix, int(now.timestamp()), seconds_up(until), limit]
        leased = await self._run(_LEASE, [self._due], arguments)
        return readable(((gid.decode(), found) for gid, *found in leased), lambda found: _read_stored(*found))

    async def make_due(self, later_than: datetime, now: datetime, limit: int) -> tuple[int, bool]:
        arguments = [seconds_up(later_than), int(now.timestamp()), limit]
        count, more = await self._run(_MAKE_DUE, [self._due], arguments)
        return count, bool(more)

    async def list_transactions(self, position: str, limit: int, wanted: Filter) -> tuple[Sequence[Transaction], str]:
        values, following = await self._read(lambda: self._scan(f"{self._prefix}_g_*", position, limit))
        transactions = [_read_transaction(value) for value in values]
        return [trans for trans in transactions if wanted.matches(trans)], following

    async def get_value(self, category: str, key: str) -> KeyValue | None:
        value = await self._read(lambda: self._redis.client.get(self._value_key(category, key)))
        return _read_value(value) if value else None

    async def put_value(self, value: KeyValue, expected_version: int) -> bool:
        keys = [self._value_key(value.cat, value.k)]
        return bool(await self._run(_PUT_VALUE, keys, [_encode(value), expected_version]))

    async def delete_value(self, category: str, key: str) -> bool:
        return bool(await self._read(lambda: self._redis.client.delete(self._value_key(category, key))))

    async def list_values(self, category: str, position: str, limit: int) -> tuple[Sequence[KeyValue], str]:
        values, following = await self._read(lambda: self._scan(self._value_key(category, "*"), position, limit))
        return [_read_value(value) for value in values], following

    async def _run(self, script: Script, keys: Sequence[str], arguments: Sequence[str | bytes | int]) -> Any:
        try:
            return await self._redis.run(script, keys, arguments)
        except UnknownOutcome:
            await self._drop_idle_connections()
            raise

    async def _read(self, read: Callable[[], Awaitable[Any]]) -> Any:
        """A command that may be repeated: its connection can have died since its last use."""
        try:
            try:
                return await read()
            except RedisConnectionError:
                await self._drop_idle_connections()
                return await read()
        except RedisError as error:
            raise Unavailable(f"Redis does not answer: {error}") from error

    async def _drop_idle_connections(self) -> None:
        """Where one has died, the others probably have."""
        await self._redis.client.connection_pool.disconnect(inuse_connections=False)

    async def _scan(self, pattern: str, position: str, limit: int) -> tuple[list[bytes], str]:
        """About `limit` values whose keys match, and the cursor behind them, empty at the end."""
        cursor, keys = int(position or 0), list[Any]()
        while len(keys) < limit:
            cursor, found = await self._redis.client.scan(cursor, match=pattern, count=max(limit, 100))
            keys += found
            if cursor == 0:
                break
        values: Sequence[Any] = await self._redis.client.mget(keys) if keys else []
        return [value for value in values if value], str(cursor) if cursor else ""

    def _arguments(self, new: Stored) -> list[str | bytes | int]:
        trans, branches = new
        return [
            _encode(trans), trans.status, _score(trans), trans.gid, self._unfinished_ttl, *map(_encode, branches),
        ]  # fmt: skip

    def _keys(self, gid: str) -> list[str]:
        return [f"{self._prefix}_g_{gid}", f"{self._prefix}_b_{gid}", f"{self._prefix}_s_{gid}", self._due]

    def _value_key(self, category: str, key: str) -> str:
        return f"{self._prefix}_kv_{category}_{key}"


def _score(trans: Transaction) -> int:
    if trans.next_cron_time is None:
        raise ShopError("an unfinished transaction has no next time")
    return seconds_up(trans.next_cron_time)


def _read_stored(trans: bytes, branches: Sequence[bytes]) -> Stored:
    return Stored(_read_transaction(trans), [_read_branch(branch) for branch in branches])


def _json_time(moment: datetime | None) -> str:
    """As msgspec writes it inside JSON, without the quotes."""
    text: Any = msgspec.to_builtins(moment)
    return str(text)
