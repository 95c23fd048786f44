"""Sends dead letters back to the topics that they came from, after whatever made them unreadable has been mended.

    python -m services.order.redrive [--limit 1000]

Each letter is published before its offset is committed: a crash in between sends it twice, and placement places an
order id once. A letter that is still unreadable comes back to the dead-letter topic; the command stops at such.
"""

from __future__ import annotations

import argparse
import time

from kafka import KafkaConsumer, KafkaProducer

from services.common import flow
from services.common.settings import KafkaSettings

_GROUP = "order.redrive"
_IDLE_SECONDS = 5.0


def redrive(brokers: str, limit: int) -> int:
    """Redrives at most `limit` letters that were there at the start; gives how many."""
    started = int(time.time() * 1000)
    producer = KafkaProducer(bootstrap_servers=brokers, acks="all")
    consumer = KafkaConsumer(
        *(flow.dead_letter_topic(topic) for topic in flow.ORDER_TOPICS),
        bootstrap_servers=brokers,
        group_id=_GROUP,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    sent, deadline = 0, time.monotonic() + _IDLE_SECONDS
    try:
        while sent < limit and time.monotonic() < deadline:
            polled = consumer.poll(timeout_ms=500, max_records=min(500, limit - sent))
            letters = [letter for batch in polled.values() for letter in batch]
            sends = []
            for letter in letters:
                if letter.timestamp >= started:  # it came back
                    return sent
                headers = [(name, value) for name, value in letter.headers if not name.startswith("eshop-")]
                topic = letter.topic.removesuffix(flow.dead_letter_topic(""))
                sends.append(producer.send(topic, key=letter.key, value=letter.value, headers=headers))
                sent += 1
            if letters:
                producer.flush(timeout=30)
                for send in sends:  # flush is silent about letters that Kafka did not take
                    send.get(timeout=1)
                consumer.commit()
                deadline = time.monotonic() + _IDLE_SECONDS
        return sent
    finally:
        producer.close(timeout=30)
        consumer.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="Sends dead letters back to their topics.")
    parser.add_argument("--limit", type=int, default=1000, help="at most so many letters")
    arguments = parser.parse_args()
    print(f"{redrive(KafkaSettings().kafka_brokers, arguments.limit)} letters sent back")  # noqa: T201 - a command


if __name__ == "__main__":
    main()
