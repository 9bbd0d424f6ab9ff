package main

import (
	"context"
	"maps"
	"slices"

	"github.com/IBM/sarama"
)

type saramaClient struct{ brokers []string }

func newSarama(broker string) *saramaClient { return &saramaClient{[]string{broker}} }

func saramaConfig() *sarama.Config {
	config := sarama.NewConfig()
	config.Version = sarama.V4_0_0_0
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Group.Heartbeat.Interval = heartbeat
	config.Consumer.MaxWaitTime = heartbeat
	config.Consumer.IsolationLevel = sarama.ReadCommitted
	return config
}

func saramaProducer() *sarama.Config {
	config := saramaConfig()
	config.Producer.Idempotent = true
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Partitioner = sarama.NewRoundRobinPartitioner
	config.Producer.Return.Successes = true
	config.Net.MaxOpenRequests = 1
	return config
}

func (s *saramaClient) admin(do func(sarama.Client, sarama.ClusterAdmin) error) error {
	it, err := sarama.NewClient(s.brokers, saramaConfig())
	if err != nil {
		return err
	}
	defer it.Close()
	admin, err := sarama.NewClusterAdminFromClient(it)
	if err != nil {
		return err
	}
	return do(it, admin)
}

func (s *saramaClient) createTopic(_ context.Context, topic string) error {
	return s.admin(func(_ sarama.Client, admin sarama.ClusterAdmin) error {
		return admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: 1}, false)
	})
}

func messages(topic string, values []string) (all []*sarama.ProducerMessage) {
	for _, value := range values {
		all = append(all, &sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder(value)})
	}
	return all
}

func (s *saramaClient) produce(_ context.Context, topic string, values []string) error {
	producer, err := sarama.NewSyncProducer(s.brokers, saramaProducer())
	if err != nil {
		return err
	}
	defer producer.Close()
	return producer.SendMessages(messages(topic, values))
}

func (s *saramaClient) transaction(_ context.Context, topic string, values []string, commit bool) error {
	config := saramaProducer()
	config.Producer.Transaction.ID = "sarama"
	producer, err := sarama.NewSyncProducer(s.brokers, config)
	if err != nil {
		return err
	}
	defer producer.Close()
	if err := producer.BeginTxn(); err != nil {
		return err
	}
	if err := producer.SendMessages(messages(topic, values)); err != nil {
		return err
	}
	if commit {
		return producer.CommitTxn()
	}
	return producer.AbortTxn()
}

// saramaMember hands on what a member of a group gets; the session commits it before it ends.
type saramaMember func(value string)

func (saramaMember) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (saramaMember) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (seen saramaMember) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for message := range claim.Messages() {
		seen(string(message.Value))
		session.MarkMessage(message, "")
	}
	return nil
}

func (s *saramaClient) consume(ctx context.Context, group, topic string, seen func(string)) error {
	member, err := sarama.NewConsumerGroup(s.brokers, group, saramaConfig())
	if err != nil {
		return err
	}
	defer member.Close()
	for ctx.Err() == nil {
		if err := member.Consume(ctx, []string{topic}, saramaMember(seen)); err != nil {
			return err
		}
	}
	return nil
}

func (s *saramaClient) readCommitted(ctx context.Context, topic string, goOn func(string) bool) error {
	consumer, err := sarama.NewConsumer(s.brokers, saramaConfig())
	if err != nil {
		return err
	}
	defer consumer.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	values := make(chan string)
	for partition := range int32(partitions) {
		part, err := consumer.ConsumePartition(topic, partition, sarama.OffsetOldest)
		if err != nil {
			return err
		}
		defer part.Close()
		go func() {
			for message := range part.Messages() {
				select {
				case values <- string(message.Value):
				case <-ctx.Done():
				}
			}
		}()
	}
	for {
		select {
		case value := <-values:
			if !goOn(value) {
				return nil
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *saramaClient) lag(_ context.Context, group, topic string) (left int64, err error) {
	err = s.admin(func(it sarama.Client, admin sarama.ClusterAdmin) error {
		committed, err := admin.ListConsumerGroupOffsets(group, map[string][]int32{topic: {0, 1, 2}})
		if err != nil {
			return err
		}
		for partition := range int32(partitions) {
			end, err := it.GetOffset(topic, partition, sarama.OffsetNewest)
			if err != nil {
				return err
			}
			left += end - max(0, committed.GetBlock(topic, partition).Offset)
		}
		return nil
	})
	return left, err
}

func (s *saramaClient) topics(context.Context) (names []string, err error) {
	err = s.admin(func(_ sarama.Client, admin sarama.ClusterAdmin) error {
		topics, err := admin.ListTopics()
		names = slices.Collect(maps.Keys(topics))
		return err
	})
	return names, err
}

func (s *saramaClient) deleteGroup(_ context.Context, group string) error {
	return s.admin(func(_ sarama.Client, admin sarama.ClusterAdmin) error { return admin.DeleteConsumerGroup(group) })
}

func (s *saramaClient) deleteTopic(_ context.Context, topic string) error {
	return s.admin(func(_ sarama.Client, admin sarama.ClusterAdmin) error { return admin.DeleteTopic(topic) })
}
