"""kafka-python as it was years ago: produce, two members of a group, commit, go on. Arguments: HOST:PORT [API_VERSION]."""

import sys
import threading
import time

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

RECORDS = 40
SECONDS = 90
TOPIC = "old-topic"


def main(broker, api_version=None):
    settings = {"bootstrap_servers": broker}
    if api_version:
        settings["api_version"] = tuple(int(part) for part in api_version.split("."))
    deadline = time.monotonic() + SECONDS

    def produce(word, compression):
        producer = KafkaProducer(compression_type=compression, retries=5, **settings)
        sent = [producer.send(TOPIC, key=b"%d" % n, value=b"%s %d" % (word, n)) for n in range(RECORDS)]
        for one in sent:
            one.get(timeout=SECONDS)
        producer.close()
        return {b"%s %d" % (word, n) for n in range(RECORDS)}

    def member():
        return KafkaConsumer(
            TOPIC, group_id="old-group", auto_offset_reset="earliest", enable_auto_commit=False,
            session_timeout_ms=10000, heartbeat_interval_ms=200, metadata_max_age_ms=500, **settings
        )

    def read(consumer, seen, enough):
        while not enough():
            assert time.monotonic() < deadline, f"only {len(seen)} records were seen"
            for records in consumer.poll(timeout_ms=100).values():
                seen.update(record.value for record in records)
        consumer.commit()

    expected = produce(b"plain", None) | produce(b"squeezed", "gzip")
    first, second = member(), member()
    seen, shares = set(), [set(), set()]
    both = [threading.Event(), threading.Event()]

    def take(index, consumer):
        # Until both have partitions and everything was seen.
        def enough():
            if consumer.assignment():
                shares[index] = set(consumer.assignment())
                if len(consumer.assignment()) < len(consumer.partitions_for_topic(TOPIC)):
                    both[index].set()
            return seen >= expected and all(event.is_set() for event in both)

        read(consumer, seen, enough)

    threads = [threading.Thread(target=take, args=pair) for pair in enumerate((first, second))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == expected, seen ^ expected
    assert shares[0] and shares[1] and not shares[0] & shares[1], shares
    first.close()
    second.close()

    more = produce(b"later", None)
    third, later = member(), set()
    read(third, later, lambda: later >= more)
    assert later == more, "what was committed came again"
    partitions = [TopicPartition(TOPIC, number) for number in third.partitions_for_topic(TOPIC)]
    ends = third.end_offsets(partitions)
    assert sum(ends.values()) == len(expected) + len(more), ends
    assert {partition: third.committed(partition) or 0 for partition in partitions} == ends
    third.close()


main(*sys.argv[1:])
