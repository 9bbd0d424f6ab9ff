package main

import (
	"context"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

type franz struct{ broker string }

func newFranz(broker string) *franz { return &franz{broker} }

func (f *franz) open(options ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append(options, kgo.SeedBrokers(f.broker), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))...)
}

func (f *franz) admin(do func(*kadm.Client) error) error {
	it, err := f.open()
	if err != nil {
		return err
	}
	defer it.Close()
	return do(kadm.NewClient(it))
}

func (f *franz) createTopic(ctx context.Context, topic string) error {
	return f.admin(func(admin *kadm.Client) error {
		made, err := admin.CreateTopic(ctx, partitions, 1, nil, topic)
		if err != nil {
			return err
		}
		return made.Err
	})
}

func produced(ctx context.Context, it *kgo.Client, topic string, values []string) error {
	var all []*kgo.Record
	for _, value := range values {
		all = append(all, &kgo.Record{Topic: topic, Value: []byte(value)})
	}
	return it.ProduceSync(ctx, all...).FirstErr()
}

func (f *franz) produce(ctx context.Context, topic string, values []string) error {
	it, err := f.open()
	if err != nil {
		return err
	}
	defer it.Close()
	return produced(ctx, it, topic, values)
}

func (f *franz) transaction(ctx context.Context, topic string, values []string, commit bool) error {
	it, err := f.open(kgo.TransactionalID("franz-go"))
	if err != nil {
		return err
	}
	defer it.Close()
	if err := it.BeginTransaction(); err != nil {
		return err
	}
	if err := produced(ctx, it, topic, values); err != nil {
		return err
	}
	return it.EndTransaction(ctx, kgo.TransactionEndTry(commit))
}

func (f *franz) consume(ctx context.Context, group, topic string, seen func(string)) error {
	it, err := f.open(kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(), kgo.HeartbeatInterval(heartbeat),
		kgo.FetchMaxWait(heartbeat),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.BlockRebalanceOnPoll())
	if err != nil {
		return err
	}
	defer it.CloseAllowingRebalance()
	for {
		fetches := it.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return err
		}
		fetches.EachRecord(func(record *kgo.Record) { seen(string(record.Value)) })
		// What was handed on is committed even if the member is about to leave.
		if err := it.CommitUncommittedOffsets(context.WithoutCancel(ctx)); err != nil {
			return err
		}
		it.AllowRebalance()
	}
}

func (f *franz) readCommitted(ctx context.Context, topic string, goOn func(string) bool) error {
	it, err := f.open(kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		return err
	}
	defer it.Close()
	for {
		fetches := it.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return err
		}
		for _, record := range fetches.Records() {
			if !goOn(string(record.Value)) {
				return nil
			}
		}
	}
}

func (f *franz) lag(ctx context.Context, group, topic string) (left int64, err error) {
	err = f.admin(func(admin *kadm.Client) error {
		lags, err := admin.Lag(ctx, group)
		if err != nil {
			return err
		}
		for _, one := range lags.Sorted() {
			left += one.Lag.TotalByTopic()[topic].Lag
		}
		return lags.Error()
	})
	return left, err
}

func (f *franz) topics(ctx context.Context) (names []string, err error) {
	err = f.admin(func(admin *kadm.Client) error {
		topics, err := admin.ListTopics(ctx)
		names = topics.Names()
		return err
	})
	return names, err
}

func (f *franz) deleteGroup(ctx context.Context, group string) error {
	return f.admin(func(admin *kadm.Client) error {
		deleted, err := admin.DeleteGroup(ctx, group)
		if err != nil {
			return err
		}
		return deleted.Err
	})
}

func (f *franz) deleteTopic(ctx context.Context, topic string) error {
	return f.admin(func(admin *kadm.Client) error {
		deleted, err := admin.DeleteTopic(ctx, topic)
		if err != nil {
			return err
		}
		return deleted.Err
	})
}
