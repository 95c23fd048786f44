"""Creates the topics of flow.py: `python -m services.common.topics`. Safe to repeat; run before the services need them.

Existing topics keep their messages; they get further partitions and the retention that is asked for now.
"""

from __future__ import annotations

import sys
import time
from contextlib import closing
from typing import Any

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import KafkaError, TopicAlreadyExistsError
from pydantic import Field

from services.common.flow import TOPICS
from services.common.settings import KafkaSettings, load

DEAD_LETTER_RETENTION = 4  # times as long: somebody has to look at them


class TopicSettings(KafkaSettings):
    topic_partitions: int = Field(6, ge=1)
    topic_replication: int = Field(1, ge=1)
    topic_retention_hours: int = Field(168, ge=1)
    # Seconds that the brokers may take to answer at all.
    topic_wait_seconds: int = Field(30, ge=1)


def create(settings: TopicSettings) -> list[str]:
    """Makes every topic exist as the settings say; returns the names of the new ones."""
    with closing(
        KafkaAdminClient(
            bootstrap_servers=settings.kafka_brokers.split(","),
            bootstrap_timeout_ms=settings.topic_wait_seconds * 1000,
            client_id="eshop.topics",
        )
    ) as admin:
        present = {topic["name"]: topic for topic in admin.describe_topics() if topic["name"] in TOPICS}
        missing = [name for name in TOPICS if name not in present]
        if missing:
            try:
                admin.create_topics({name: _options(name, settings) for name in missing}, wait_for_metadata=True)
            except TopicAlreadyExistsError:  # another job was faster
                return create(settings)
        grown = {
            name: settings.topic_partitions
            for name, topic in present.items()
            if len(topic["partitions"]) < settings.topic_partitions
        }
        if grown:
            admin.create_partitions(grown)
        if present:
            admin.alter_configs(
                [ConfigResource(ConfigResourceType.TOPIC, name, _configs(name, settings)) for name in present]
            )
    return missing


def _options(name: str, settings: TopicSettings) -> dict[str, Any]:
    return {
        "num_partitions": settings.topic_partitions,
        "replication_factor": settings.topic_replication,
        "configs": _configs(name, settings),
    }


def _configs(name: str, settings: TopicSettings) -> dict[str, str]:
    hours = settings.topic_retention_hours * (DEAD_LETTER_RETENTION if name.endswith(".dlt") else 1)
    replicas_in_sync = max(1, settings.topic_replication - 1)
    return {"retention.ms": str(hours * 3_600_000), "min.insync.replicas": str(replicas_in_sync)}


def main() -> None:
    settings = load(TopicSettings)
    started = time.monotonic()
    try:
        new = create(settings)
    except KafkaError as error:
        raise SystemExit(f"topics at {settings.kafka_brokers}: {error!r}") from None
    sys.stdout.write(f"topics: {len(new)} created, {len(TOPICS)} in all, {time.monotonic() - started:.1f} s\n")


if __name__ == "__main__":
    main()
