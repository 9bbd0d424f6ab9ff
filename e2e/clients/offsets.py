"""Prints a broker's topics with their end offsets, and its groups with their committed offsets, as JSON."""

import json
import sys

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient

SECONDS = 60


def end_offsets(consumer, topics):
    ends = {}
    for topic in topics:
        for partition in topics[topic].partitions:
            ends[f"{topic}-{partition}"] = consumer.get_watermark_offsets(TopicPartition(topic, partition), SECONDS)[1]
    return ends


def committed(admin, group):
    answer = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])[group].result(SECONDS)
    return {f"{place.topic}-{place.partition}": place.offset for place in answer.topic_partitions}


def main(bootstrap):
    settings = {"bootstrap.servers": bootstrap}
    admin = AdminClient(settings)
    topics = admin.list_topics(timeout=SECONDS).topics
    groups = [group.group_id for group in admin.list_consumer_groups().result(SECONDS).valid]
    consumer = Consumer({**settings, "group.id": "offsets-py"})
    result = {"ends": end_offsets(consumer, topics), "groups": {group: committed(admin, group) for group in groups}}
    consumer.close()
    json.dump(result, sys.stdout, indent=1, sort_keys=True)


if __name__ == "__main__":
    main(sys.argv[1])
