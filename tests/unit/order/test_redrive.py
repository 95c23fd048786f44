"""Redrive: a dead letter's offset is committed only when Kafka has the letter again."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from kafka.errors import MessageSizeTooLargeError
from kafka.producer.future import FutureProduceResult, FutureRecordMetadata

from services.common import flow
from services.order import redrive as module

LETTER = SimpleNamespace(
    topic=flow.dead_letter_topic(flow.ORDER_SUBMITTED),
    key=b"key",
    value=b"value",
    headers=[("eshop-code", b"40001"), ("traceparent", b"t")],
    timestamp=0,
)


class Kafka:
    """Producer and consumer in one; `error` is what becomes of every letter that is sent."""

    def __init__(self, error=None):
        self.error = error
        self.polls = [{"partition": [LETTER]}]
        self.sent = []
        self.commits = 0

    def send(self, topic, key, value, headers):
        self.sent.append((topic, key, value, headers))
        produced = FutureProduceResult((topic, 0))
        send = FutureRecordMetadata(produced, 0, 0, None, 3, 5, 0)
        if self.error:
            produced.failure(self.error)
        else:
            produced.success((0, 0, None))
        return send

    def flush(self, timeout):
        """Says nothing of letters that could not be sent, as the real one."""

    def poll(self, **_):
        return self.polls.pop() if self.polls else {}

    def commit(self):
        self.commits += 1

    def close(self, **_):
        pass


@pytest.fixture
def start(monkeypatch):
    monkeypatch.setattr(module, "_IDLE_SECONDS", 0.05)

    def use(kafka):
        monkeypatch.setattr(module, "KafkaProducer", lambda **_: kafka)
        monkeypatch.setattr(module, "KafkaConsumer", lambda *_, **__: kafka)
        return kafka

    return use


def test_letters_go_back_without_the_headers_of_their_death(start):
    kafka = start(Kafka())
    assert module.redrive("broker", 10) == 1
    assert kafka.sent == [(flow.ORDER_SUBMITTED, b"key", b"value", [("traceparent", b"t")])]
    assert kafka.commits == 1


def test_a_letter_that_kafka_did_not_take_is_not_committed(start):
    kafka = start(Kafka(MessageSizeTooLargeError("too large")))
    with pytest.raises(MessageSizeTooLargeError):
        module.redrive("broker", 10)
    assert kafka.commits == 0
