"""confluent-kafka: two members of a group move records in transactions, one leaves. Arguments: HOST:PORT PROTOCOL."""

import sys
import time

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, IsolationLevel, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

RECORDS = 60
PARTITIONS = 4
SECONDS = 90


def main(broker, protocol):
    settings = {"bootstrap.servers": broker}
    source, target, group = f"{protocol}-source", f"{protocol}-target", f"{protocol}-group"
    admin = AdminClient(settings)
    for made in admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in (source, target)]).values():
        made.result(SECONDS)
    deadline = time.monotonic() + SECONDS

    def member():
        own = {"group.id": group, "group.protocol": protocol, "auto.offset.reset": "earliest", "enable.auto.commit": False}
        if protocol == "classic":
            own["heartbeat.interval.ms"] = 200
        consumer = Consumer({**settings, **own})
        consumer.subscribe([source])
        producer = Producer({**settings, "transactional.id": f"{protocol}-{time.monotonic_ns()}"})
        producer.init_transactions(SECONDS)
        return consumer, producer

    def produce(word):
        producer = Producer({**settings, "enable.idempotence": True})
        for number in range(RECORDS):
            producer.produce(source, value=f"{word} {number}", partition=number % PARTITIONS)
        assert producer.flush(SECONDS) == 0

    def move(consumer, producer, commit):
        """One transaction with what is there; gives how many records it moved."""
        messages = consumer.consume(20, 0.2)
        if not messages:
            return 0
        producer.begin_transaction()
        ends = {}
        for message in messages:
            assert message.error() is None, message.error()
            producer.produce(target, value=message.value() if commit else b"aborted")
            ends[message.partition()] = message.offset() + 1
        places = [TopicPartition(source, partition, end) for partition, end in ends.items()]
        producer.send_offsets_to_transaction(places, consumer.consumer_group_metadata(), SECONDS)
        if commit:
            producer.commit_transaction(SECONDS)
            return len(messages)
        producer.abort_transaction(SECONDS)
        first = {}
        for message in messages:
            first.setdefault(message.partition(), message.offset())
        for partition, offset in first.items():
            consumer.seek(TopicPartition(source, partition, offset))
        return 0

    def move_all(members, count):
        moved, aborted = 0, False
        while moved < count:
            assert time.monotonic() < deadline, f"only {moved} of {count} records came"
            for one in members:
                some = move(*one, commit=aborted)
                aborted = True
                moved += some
        assert moved == count, f"{moved} instead of {count} records were moved"

    def settle(members):
        while sorted(len(consumer.assignment()) for consumer, _ in members) != [PARTITIONS // len(members)] * len(members):
            assert time.monotonic() < deadline, "the group does not come to rest"
            for consumer, _ in members:
                assert consumer.poll(0.05) is None

    members = [member(), member()]
    settle(members)
    described = admin.describe_consumer_groups([group])[group].result(SECONDS)
    assert (described.state.name, len(described.members)) == ("STABLE", 2), described
    produce("shared")
    move_all(members, RECORDS)
    members.pop()[0].close()
    settle(members)
    produce("inherited")
    move_all(members, RECORDS)
    members.pop()[0].close()

    committed = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])[group].result(SECONDS)
    assert sum(place.offset for place in committed.topic_partitions) == 2 * RECORDS, committed.topic_partitions

    reader = Consumer({**settings, "group.id": f"{protocol}-reader", "isolation.level": "read_committed"})
    reader.assign([TopicPartition(target, partition, 0) for partition in range(PARTITIONS)])
    values = []
    while len(values) < 2 * RECORDS:
        assert time.monotonic() < deadline, f"only {len(values)} records were committed"
        values += [message.value().decode() for message in reader.consume(100, 0.2)]
    reader.close()
    assert sorted(values) == sorted(f"{word} {number}" for word in ("shared", "inherited") for number in range(RECORDS))

    latest = {TopicPartition(target, partition): OffsetSpec.latest() for partition in range(PARTITIONS)}
    ends = admin.list_offsets(latest, isolation_level=IsolationLevel.READ_COMMITTED).values()
    assert sum(end.result(SECONDS).offset for end in ends) > 2 * RECORDS, "transactions leave markers"
    admin.delete_consumer_groups([group])[group].result(SECONDS)
    for deleted in admin.delete_topics([source, target]).values():
        deleted.result(SECONDS)


main(*sys.argv[1:])
