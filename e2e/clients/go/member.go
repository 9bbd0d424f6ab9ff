package main

import (
	"context"
	"errors"
	"sync"
)

// member is a consumer of a group that runs beside the story.
type member struct {
	seen   chan string
	failed chan error
	join   func()
	leave  func() error
}

func newMember(ctx context.Context, c client, group, topic string) *member {
	m := &member{seen: make(chan string), failed: make(chan error, 1), leave: func() error { return nil }}
	m.join = func() {
		ctx, cancel := context.WithCancel(ctx)
		ended := make(chan error, 1)
		go func() {
			err := c.consume(ctx, group, topic, func(value string) {
				select {
				case m.seen <- value:
				case <-ctx.Done():
				}
			})
			if err != nil && !errors.Is(err, context.Canceled) {
				m.failed <- err
				ended <- err
			}
			close(ended)
		}()
		m.leave = sync.OnceValue(func() error { cancel(); return <-ended })
	}
	return m
}
