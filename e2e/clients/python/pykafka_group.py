"""PyKafka 2.8: produce, a group that commits and goes on, a simple consumer. Argument: HOST:PORT."""

import sys

from pykafka import KafkaClient
from pykafka.common import CompressionType, OffsetType

RECORDS = 30
TIMEOUT_MS = 20000


def main(broker):
    client = KafkaClient(broker)
    topic = client.topics[b"pykafka-topic"]

    def produce(word, compression):
        values = {b"%s %d" % (word, n) for n in range(RECORDS)}
        with topic.get_sync_producer(compression=compression) as producer:
            for value in values:
                producer.produce(value)
        return values

    def member():
        return topic.get_balanced_consumer(
            b"pykafka-group", managed=True, auto_offset_reset=OffsetType.EARLIEST, consumer_timeout_ms=TIMEOUT_MS
        )

    expected = produce(b"plain", CompressionType.NONE) | produce(b"squeezed", CompressionType.GZIP)
    consumer = member()
    assert {consumer.consume().value for _ in expected} == expected
    consumer.commit_offsets()
    consumer.stop()

    more = produce(b"later", CompressionType.NONE)
    consumer = member()
    assert {consumer.consume().value for _ in more} == more, "what was committed came again"
    consumer.stop()

    simple = topic.get_simple_consumer(auto_offset_reset=OffsetType.EARLIEST, consumer_timeout_ms=TIMEOUT_MS)
    everything = {simple.consume().value for _ in expected | more}
    assert everything == expected | more
    simple.stop()
    ends = topic.latest_available_offsets()
    assert sum(end.offset[0] for end in ends.values()) == len(everything), ends


main(sys.argv[1])
