package config

import (
	"fmt"
	"log/slog"
)

// A Secret is text that must not be seen: however it is printed, logged or
// encoded it reads [redacted]. Only [Secret.Reveal] gives it away.
type Secret string

const redacted = "[redacted]"

// Secrets are several of a kind, the first before the others.
type Secrets []Secret

// Reveal gives the texts themselves.
func (s Secrets) Reveal() []string {
	texts := make([]string, len(s))
	for i, secret := range s {
		texts[i] = secret.Reveal()
	}
	return texts
}

// Reveal gives the text itself, for the one who needs it.
func (s Secret) Reveal() string { return string(s) }

// String is [redacted], for an empty secret too.
func (Secret) String() string { return redacted }

// GoString is String.
func (Secret) GoString() string { return redacted }

// Format writes String for every verb, %x and %#v included.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue is String.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText is String; encoding/json and YAML use it.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
