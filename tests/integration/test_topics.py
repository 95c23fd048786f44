"""Topics on the real Kafka: made once, grown and kept."""

import secrets
from contextlib import closing

import pytest
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from services.common import flow, topics
from services.common.topics import TopicSettings, create


@pytest.fixture
def names(stack, monkeypatch):
    """Topics of this test's own, in place of flow.py's."""
    name = f"test.{secrets.token_hex(4)}"
    found = (name, flow.dead_letter_topic(name))
    monkeypatch.setattr(topics, "TOPICS", found)
    yield found
    with closing(KafkaAdminClient(bootstrap_servers=stack.brokers)) as admin:
        admin.delete_topics(list(found))


def described(stack, names):
    """Partitions and retention by topic."""
    with closing(KafkaAdminClient(bootstrap_servers=stack.brokers)) as admin:
        partitions = {
            topic["name"]: len(topic["partitions"]) for topic in admin.describe_topics() if topic["name"] in names
        }
        resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in partitions]
        configs = admin.describe_configs(resources)["topic"]
        return {name: (count, int(configs[name]["retention.ms"]["value"])) for name, count in partitions.items()}


def test_topics_are_made_once_then_grown_and_kept(stack, names):
    hour = 3_600_000
    settings = TopicSettings(kafka_brokers=stack.brokers, topic_partitions=2, topic_retention_hours=1)
    assert create(settings) == list(names)
    assert described(stack, names) == {names[0]: (2, hour), names[1]: (2, 4 * hour)}
    assert create(settings) == []

    grown = TopicSettings(kafka_brokers=stack.brokers, topic_partitions=3, topic_retention_hours=5)
    assert create(grown) == []
    assert described(stack, names) == {names[0]: (3, 5 * hour), names[1]: (3, 20 * hour)}

    assert create(settings) == []  # fewer partitions than there are: none is taken away
    assert described(stack, names)[names[0]] == (3, hour)


def test_the_stack_has_the_topics_of_the_flows(stack):
    found = described(stack, flow.TOPICS)
    assert set(found) == set(flow.TOPICS)
    assert {count for count, _ in found.values()} == {6}
