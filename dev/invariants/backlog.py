"""Backlog: what is under way in the shop, and waiting for its end.

Looked at in the order in which orders travel: two-phase messages (they fill a topic), topics (their consumer starts
sagas), sagas. Three times nothing means that nothing is left, as long as no request comes in.
"""

from __future__ import annotations

import json
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence

from kafka import TopicPartition
from kafka.admin import KafkaAdminClient, OffsetSpec

from dev.invariants.stores import Stores
from services.common import flow

_UNFINISHED = ("prepared", "submitted", "aborting")
_PAGE = 1000
_REPORT_SECONDS = 2.0


class Backlog:
    """Messages that the consumer group has not committed, and transactions without an outcome."""

    def __init__(self, stores: Stores) -> None:
        self._coordinators = (stores.dtm_redis_http, stores.dtm_mysql_http)
        self._kafka = KafkaAdminClient(
            bootstrap_servers=stores.kafka_brokers.split(","), client_id="eshop.invariants", request_timeout_ms=10_000
        )

    def close(self) -> None:
        self._kafka.close()

    def wait(self, deadline: float, report: Callable[[str], None]) -> Sequence[str]:
        """Returns when nothing is left, or at the `deadline` (time.monotonic) with what is left."""
        pause, next_report = 0.1, time.monotonic()
        while left := self.waiting_for():
            now = time.monotonic()
            if now > deadline:
                break
            if now >= next_report:
                report(f"waiting for {', '.join(left)}")
                next_report = now + _REPORT_SECONDS
            time.sleep(pause)
            pause = min(pause * 1.5, 1.0)
        return left

    def waiting_for(self) -> list[str]:
        """What is under way, in words; empty when nothing is."""
        by_redis, by_mysql = self._coordinators
        return [*self._transactions("Redis", by_redis), *self._messages(), *self._transactions("MySQL", by_mysql)]

    def lag(self) -> dict[str, int]:
        """Messages by topic that the group has not committed."""
        topics = self._kafka.describe_topics(list(flow.ORDER_TOPICS))
        parts = [
            TopicPartition(topic["name"], part["partition_index"]) for topic in topics for part in topic["partitions"]
        ]
        committed = self._kafka.list_group_offsets({flow.PLACEMENT_GROUP: parts})[flow.PLACEMENT_GROUP]
        first = self._kafka.list_partition_offsets(dict.fromkeys(parts, OffsetSpec.EARLIEST))
        end = self._kafka.list_partition_offsets(dict.fromkeys(parts, OffsetSpec.LATEST))
        lag = dict.fromkeys(flow.ORDER_TOPICS, 0)
        for part in parts:
            done = committed[part].offset if part in committed else -1
            lag[part.topic] += end[part].offset - max(done, first[part].offset)
        return lag

    def _messages(self) -> list[str]:
        return [f"{count:,} messages of {topic}" for topic, count in self.lag().items() if count]

    def _transactions(self, store: str, address: str) -> list[str]:
        found = sum(self._count(address, status) for status in _UNFINISHED)
        return [f"{found:,} transactions of the coordinator on {store}"] if found else []

    def _count(self, address: str, status: str) -> int:
        position = ""
        count = 0
        while True:
            query = urllib.parse.urlencode({"status": status, "limit": _PAGE, "position": position})
            url = f"http://{address}/api/dtmsvr/all?{query}"
            with urllib.request.urlopen(url, timeout=10) as response:
                page = json.load(response)
            # Some versions of DTM ignore the filter on Redis.
            count += sum(bool(trans["status"] == status) for trans in page["transactions"] or ())
            position = str(page["next_position"])
            if not position:
                return count
