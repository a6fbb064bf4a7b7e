// Package record keeps what is known of one request and writes it once, when
// the answer is done: a wide log line ([Log]), the metrics ([Metrics]), and
// whatever other [Sink] there is, such as the store's ring of refusals.
//
// Nothing here can hold a request up: what cannot be written in time is dropped
// and counted. Nothing secret can be written, for a [Record] has no field for it.
package record

import (
	"context"
	"net/netip"
	"time"
)

// A Record is filled on the request's way and written once at its end. There is
// no field for a token, a cookie or a ticket, so that none can be logged.
type Record struct {
	ID       string
	Start    time.Time
	Method   string
	Path     string // decoded, bounded, without the query
	Family   string
	Class    string
	Host     string
	Client   netip.Addr // the client as the bridge believes it
	Agent    string     // User-Agent, bounded
	Scheme   string
	Verdict  string
	Reason   Reason // why it was refused; empty otherwise
	Claimed  string // the name that a credential claimed which was refused, switched off or only observed; never used for a decision
	Name     string // the principal's name
	Subject  string // the user in Airflow 3
	TokenID  string // jti
	Status   int
	Upstream time.Duration // time to the upstream's first byte, of several requests all together; zero when not asked
	Duration time.Duration
	Sent     int64 // bytes of the answer's body
	Err      string
	// Retried says that the upstream refused a minted token once and the
	// request was sent again with a new one.
	Retried bool
	// Operation is which one of Airflow 2's REST API was asked for, by its
	// operationId, or "openapi" for its description; empty elsewhere.
	Operation string
	// Origin says who made the answer: "upstream" or "bridge".
	Origin string
}

type contextKey struct{}

// With puts r on the request's way.
func With(ctx context.Context, r *Record) context.Context {
	return context.WithValue(ctx, contextKey{}, r)
}

// From gives the request's record, or one that is thrown away when the request
// has none, so that callers need not ask.
func From(ctx context.Context) *Record {
	if r, ok := ctx.Value(contextKey{}).(*Record); ok {
		return r
	}
	return new(Record)
}

// A Sink takes a request's record when its answer is done. It must not block,
// nor change the record, nor keep it past the call. Safe for concurrent use.
type Sink interface{ Record(*Record) }
