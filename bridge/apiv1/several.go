package apiv1

import (
	"context"
	"encoding/json"
	"io"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/jetbridge/jetbridge/bridge/record"
)

// maxAtOnce is how many requests to the upstream one of a client's makes at a time.
const maxAtOnce = 4

// atOnce runs n steps, some at a time. The first that fails stops the others, and
// so does the client when it goes.
func (c *call) atOnce(n int, step func(ctx context.Context, i int) error) error {
	g, ctx := errgroup.WithContext(c.r.Context())
	g.SetLimit(maxAtOnce)
	whole := record.From(ctx)
	var mu sync.Mutex
	for i := range n {
		g.Go(func() error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			// The transport writes into a request's record, which several may not at once.
			part := new(record.Record)
			err := step(record.With(ctx, part), i)
			mu.Lock()
			defer mu.Unlock()
			whole.Upstream += part.Upstream
			if part.Retried {
				whole.Retried, whole.TokenID = true, part.TokenID
			}
			return err
		})
	}
	return g.Wait()
}

// maxFetched bounds an answer that is read to go on from.
const maxFetched = 16 << 20

// fetch asks for JSON and reads it into v, which has room for what matters of it.
func (c *call) fetch(ctx context.Context, r request, v any) error {
	return c.fetchUpTo(ctx, r, maxFetched, v)
}

// fetchUpTo is fetch for an answer of at most so many bytes.
func (c *call) fetchUpTo(ctx context.Context, r request, most int64, v any) error {
	res, err := c.askIn(ctx, r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, most+1))
	switch {
	case err != nil:
		return err
	case int64(len(text)) > most:
		return errTooLarge
	case json.Unmarshal(text, v) != nil:
		return errSyntax
	}
	return nil
}
