// Runs clients written in Go through the same story against the broker that the first argument names.
//
// Each client makes a topic, produces, has two members of a group share it and one take over from the other, looks at
// what was committed, and deletes what it made; those that have transactions abort one and commit one, and read their own and
// each other's as read_committed.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

const (
	partitions = 3
	records    = 60
	// heartbeat is the time between two heartbeats of a member, which tell it of a rebalance, and of a fetch that waits.
	heartbeat = 200 * time.Millisecond
	patience  = 5 * time.Minute
)

// client is what the story needs of a client library.
type client interface {
	// createTopic makes a topic of three partitions.
	createTopic(ctx context.Context, topic string) error
	// produce writes the values, spread over all partitions.
	produce(ctx context.Context, topic string, values []string) error
	// consume is a member of a group until ctx ends, commits what it handed on, and leaves it.
	consume(ctx context.Context, group, topic string, seen func(value string)) error
	// lag is how many records of the topic the group has not committed.
	lag(ctx context.Context, group, topic string) (int64, error)
	// topics lists the names of the topics that are there.
	topics(ctx context.Context) ([]string, error)
	deleteGroup(ctx context.Context, group string) error
	deleteTopic(ctx context.Context, topic string) error
}

// transactional is a client that has transactions.
type transactional interface {
	// transaction writes the values in one transaction and ends it.
	transaction(ctx context.Context, topic string, values []string, commit bool) error
	// readCommitted hands on what read_committed sees, from the start, until the function says to stop.
	readCommitted(ctx context.Context, topic string, goOn func(value string) bool) error
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: clients HOST:PORT")
		os.Exit(64)
	}
	clients := []struct {
		name string
		client
	}{
		{"franz-go", newFranz(os.Args[1])},
		{"sarama", newSarama(os.Args[1])},
		{"kafka-go", newKafkaGo(os.Args[1])},
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var transacted []string
	for _, one := range clients {
		if it, can := one.client.(transactional); can {
			topic := one.name + "-transactions"
			if err := transact(ctx, one.client, it, topic); err != nil {
				fail(one.name, err)
			}
			transacted = append(transacted, topic)
		}
	}
	for _, one := range clients {
		if err := story(ctx, one.client, one.name, transacted); err != nil {
			fail(one.name, err)
		}
		fmt.Println(one.name, "is served")
	}
}

func fail(name string, err error) {
	fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
	os.Exit(1)
}

func transact(ctx context.Context, c client, t transactional, topic string) error {
	if err := c.createTopic(ctx, topic); err != nil {
		return fmt.Errorf("create %s: %w", topic, err)
	}
	if err := t.transaction(ctx, topic, values("aborted"), false); err != nil {
		return fmt.Errorf("abort a transaction: %w", err)
	}
	if err := t.transaction(ctx, topic, values("committed"), true); err != nil {
		return fmt.Errorf("commit a transaction: %w", err)
	}
	return nil
}

func story(ctx context.Context, c client, name string, transacted []string) error {
	topic, group := name+"-topic", name+"-group"
	if err := c.createTopic(ctx, topic); err != nil {
		return fmt.Errorf("create a topic: %w", err)
	}
	if err := share(ctx, c, group, topic); err != nil {
		return fmt.Errorf("share a topic: %w", err)
	}
	if left, err := c.lag(ctx, group, topic); err != nil || left != 0 {
		return fmt.Errorf("%d records not committed, error %v", left, err)
	}
	if it, can := c.(transactional); can {
		for _, topic := range transacted {
			if err := onlyCommitted(ctx, it, topic); err != nil {
				return fmt.Errorf("read %s: %w", topic, err)
			}
		}
	}
	if err := c.deleteGroup(ctx, group); err != nil {
		return fmt.Errorf("delete a group: %w", err)
	}
	before, err := c.topics(ctx)
	if err == nil {
		err = c.deleteTopic(ctx, topic)
	}
	if err != nil {
		return fmt.Errorf("list topics, delete one: %w", err)
	}
	after, err := c.topics(ctx)
	if err != nil || !slices.Contains(before, topic) || slices.Contains(after, topic) {
		return fmt.Errorf("topics %v, after a deletion %v, error %v", before, after, err)
	}
	return nil
}

// share has a second member join while records are produced, and the first one leave; nothing is missed.
func share(ctx context.Context, c client, group, topic string) error {
	first, second := newMember(ctx, c, group, topic), newMember(ctx, c, group, topic)
	missing := map[string]bool{}
	send := func(word string) error {
		for _, value := range values(word) {
			missing[value] = true
		}
		return c.produce(ctx, topic, values(word))
	}
	take := func(enough func(member string) bool) error {
		for {
			select {
			case value := <-first.seen:
				delete(missing, value)
				if enough("first") {
					return nil
				}
			case value := <-second.seen:
				delete(missing, value)
				if enough("second") {
					return nil
				}
			case err := <-first.failed:
				return fmt.Errorf("the first member: %w", err)
			case err := <-second.failed:
				return fmt.Errorf("the second member: %w", err)
			case <-ctx.Done():
				return fmt.Errorf("%d records were not seen: %w", len(missing), ctx.Err())
			}
		}
	}
	all := func(string) bool { return len(missing) == 0 }

	first.join()
	if err := errors.Join(send("alone"), take(all)); err != nil {
		return err
	}
	second.join()
	both := false
	for round := 0; !both; round++ {
		if err := send(fmt.Sprintf("both%d", round)); err != nil {
			return err
		}
		err := take(func(member string) bool { both = both || member == "second"; return len(missing) == 0 })
		if err != nil {
			return err
		}
	}
	if err := first.leave(); err != nil {
		return err
	}
	if err := errors.Join(send("heir"), take(all)); err != nil {
		return err
	}
	return second.leave()
}

func onlyCommitted(ctx context.Context, c transactional, topic string) error {
	missing := map[string]bool{}
	for _, value := range values("committed") {
		missing[value] = true
	}
	var wrong string
	err := c.readCommitted(ctx, topic, func(value string) bool {
		if strings.HasPrefix(value, "aborted") {
			wrong = value
		}
		delete(missing, value)
		return wrong == "" && len(missing) > 0
	})
	if wrong != "" {
		return fmt.Errorf("%s was aborted", wrong)
	}
	return err
}

func values(word string) []string {
	all := make([]string, records)
	for number := range all {
		all[number] = fmt.Sprintf("%s %d", word, number)
	}
	return all
}
