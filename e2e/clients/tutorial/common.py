"""What the three scripts share: where things are, and clients as kafka-python makes them by default."""

import os

from kafka import KafkaConsumer, KafkaProducer

BOOTSTRAP = os.environ.get("BOOTSTRAP", "localhost:9092")
SITE = os.environ.get("SITE", "http://localhost:8088")
# End after so many messages; without it, go on until interrupted.
COUNT = int(os.environ["COUNT"]) if "COUNT" in os.environ else None

# Clients of the time of Kafka 0.10 say API_VERSION=0.10. kafka-python 3.0 that is told a version subscribes while its first
# Metadata request is under way, and forgets now and then to ask for the topic (a TODO in its ClusterMetadata.set_topics):
# without a shorter age it would ask again after five minutes.
VERSION = {}
if "API_VERSION" in os.environ:
    VERSION = {"api_version": tuple(map(int, os.environ["API_VERSION"].split("."))), "metadata_max_age_ms": 1000}


def producer():
    return KafkaProducer(bootstrap_servers=[BOOTSTRAP], **VERSION)


def messages(topic):
    """The messages of a topic from its first one on."""
    consumer = KafkaConsumer(topic, bootstrap_servers=[BOOTSTRAP], auto_offset_reset="earliest", **VERSION)
    try:
        for seen, message in enumerate(consumer, 1):
            yield message
            if seen == COUNT:
                return
    except KeyboardInterrupt:
        pass
    finally:
        consumer.close()


def send(client, topic, key, value):
    """Sends a message and waits until the broker has it."""
    client.send(topic, key=key.encode(), value=value.encode()).get(timeout=60)
