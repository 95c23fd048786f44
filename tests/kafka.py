"""Kafka through kafka-python: a client other than the services' own."""

from __future__ import annotations

from kafka import KafkaConsumer, KafkaProducer
from kafka.structs import TopicPartition

from services.common import flow


class Kafka:
    """Sends, reads and looks at offsets; blocking."""

    def __init__(self, brokers: str) -> None:
        self._producer = KafkaProducer(bootstrap_servers=brokers, acks="all", linger_ms=5)
        # Never subscribes: it looks at the services' group from outside.
        self._group = KafkaConsumer(
            bootstrap_servers=brokers, group_id=flow.PLACEMENT_GROUP, enable_auto_commit=False, consumer_timeout_ms=500
        )
        self._reader = KafkaConsumer(bootstrap_servers=brokers, auto_offset_reset="earliest", consumer_timeout_ms=500)

    def close(self) -> None:
        self._producer.close()
        self._group.close()
        self._reader.close()

    def send(self, topic, *messages, headers=(), partition=None):
        """Returns when Kafka has every (key, value)."""
        sent = [
            self._producer.send(topic, key=key.encode(), value=value, headers=list(headers), partition=partition)
            for key, value in messages
        ]
        for future in sent:
            future.get(timeout=20)

    def read(self, topic):
        """All records of a topic, from its beginning."""
        partitions = self.partitions(topic)
        ends = self._reader.end_offsets(partitions)
        self._reader.assign(partitions)
        self._reader.seek_to_beginning()
        records = []
        while any(self._reader.position(partition) < end for partition, end in ends.items()):
            records += [record for batch in self._reader.poll(500).values() for record in batch]
        return records

    def lag(self):
        """Records of the order topics that the placement group has not committed."""
        partitions = [partition for topic in flow.ORDER_TOPICS for partition in self.partitions(topic)]
        ends = self._group.end_offsets(partitions)
        return sum(end - (self._group.committed(partition) or 0) for partition, end in ends.items())

    def rewind(self, topic, records):
        """Moves the group back by so many records of each partition; nobody may be consuming."""
        partitions = self.partitions(topic)
        self._group.assign(partitions)
        for partition in partitions:
            self._group.seek(partition, max(0, (self._group.committed(partition) or 0) - records))
        self._group.commit()
        self._group.unsubscribe()

    def partitions(self, topic):
        return [TopicPartition(topic, number) for number in sorted(self._group.partitions_for_topic(topic))]
