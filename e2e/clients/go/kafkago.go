package main

import (
	"context"
	"time"

	"github.com/segmentio/kafka-go"
)

// kafkaGo has neither idempotent nor transactional producers, and hands on aborted records even as ReadCommitted.
type kafkaGo struct {
	broker string
	client *kafka.Client
}

func newKafkaGo(broker string) *kafkaGo {
	return &kafkaGo{broker, &kafka.Client{Addr: kafka.TCP(broker)}}
}

func (k *kafkaGo) createTopic(ctx context.Context, topic string) error {
	topics := []kafka.TopicConfig{{Topic: topic, NumPartitions: partitions, ReplicationFactor: 1}}
	made, err := k.client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: topics})
	if err != nil {
		return err
	}
	return made.Errors[topic]
}

func (k *kafkaGo) produce(ctx context.Context, topic string, values []string) error {
	writer := &kafka.Writer{
		Addr: kafka.TCP(k.broker), Topic: topic, Balancer: &kafka.RoundRobin{},
		RequiredAcks: kafka.RequireAll, BatchTimeout: 5 * time.Millisecond,
	}
	defer writer.Close()
	var messages []kafka.Message
	for _, value := range values {
		messages = append(messages, kafka.Message{Value: []byte(value)})
	}
	return writer.WriteMessages(ctx, messages...)
}

func (k *kafkaGo) consume(ctx context.Context, group, topic string, seen func(string)) error {
	reader := kafka.NewReader(kafka.ReaderConfig{
		Brokers: []string{k.broker}, GroupID: group, Topic: topic, StartOffset: kafka.FirstOffset,
		MaxWait: 100 * time.Millisecond, HeartbeatInterval: heartbeat, JoinGroupBackoff: heartbeat,
	})
	defer reader.Close()
	for {
		message, err := reader.FetchMessage(ctx)
		if err != nil {
			return err
		}
		seen(string(message.Value))
		if err := reader.CommitMessages(context.WithoutCancel(ctx), message); err != nil {
			return err
		}
	}
}

func (k *kafkaGo) lag(ctx context.Context, group, topic string) (left int64, err error) {
	committed, err := k.client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{
		GroupID: group, Topics: map[string][]int{topic: {0, 1, 2}},
	})
	if err == nil {
		err = committed.Error
	}
	if err != nil {
		return 0, err
	}
	ends, err := k.client.ListOffsets(ctx, &kafka.ListOffsetsRequest{
		Topics: map[string][]kafka.OffsetRequest{topic: {kafka.LastOffsetOf(0), kafka.LastOffsetOf(1), kafka.LastOffsetOf(2)}},
	})
	if err != nil {
		return 0, err
	}
	for _, end := range ends.Topics[topic] {
		left += end.LastOffset
	}
	for _, one := range committed.Topics[topic] {
		left -= max(0, one.CommittedOffset)
	}
	return left, nil
}

// Not with the client, which remembers metadata for some seconds.
func (k *kafkaGo) topics(ctx context.Context) (names []string, err error) {
	connection, err := kafka.DialContext(ctx, "tcp", k.broker)
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	partitions, err := connection.ReadPartitions()
	for _, partition := range partitions {
		names = append(names, partition.Topic)
	}
	return names, err
}

func (k *kafkaGo) deleteGroup(ctx context.Context, group string) error {
	deleted, err := k.client.DeleteGroups(ctx, &kafka.DeleteGroupsRequest{GroupIDs: []string{group}})
	if err != nil {
		return err
	}
	return deleted.Errors[group]
}

func (k *kafkaGo) deleteTopic(ctx context.Context, topic string) error {
	deleted, err := k.client.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{topic}})
	if err != nil {
		return err
	}
	return deleted.Errors[topic]
}
