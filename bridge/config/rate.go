package config

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/jetbridge/jetbridge/bridge/airflowcfg"
)

// A Rate is so many posts of one address in the time that begins with the first. The
// zero Rate is none: nothing is counted.
type Rate struct {
	Posts int
	Per   time.Duration
}

// rateText is one limit as Flask-Limiter has it (limits/util.py).
var rateText = regexp.MustCompile(`(?i)^\s*(\d{1,6})\s*(?:/|per)\s*(\d{0,6})\s*(second|minute|hour|day|month|year)s?\s*$`)

// asRate reads "5 per 40 second" in the ways that Airflow's [fab] auth_rate_limit
// may be written, but for several limits in one.
func asRate(r raw) (Rate, error) {
	if r.kind == text && r.text == "off" {
		return Rate{}, nil
	}
	m := rateText.FindStringSubmatch(r.text)
	if m == nil || r.kind != text {
		return Rate{}, errors.New("must be one limit such as 5 per 40 second, or off")
	}
	posts, _ := strconv.Atoi(m[1]) // of digits alone
	times, err := strconv.Atoi(m[2])
	if m[2] == "" {
		times, err = 1, nil
	}
	const day = 24 * time.Hour
	per := time.Duration(times) * map[string]time.Duration{
		"second": time.Second, "minute": time.Minute, "hour": time.Hour, "day": day, "month": 30 * day, "year": 360 * day,
	}[strings.ToLower(m[3])]
	if err != nil || posts == 0 || per <= 0 || per > maxLifetime {
		return Rate{}, fmt.Errorf("must let through at least 1 in a time of 1s to %s", maxLifetime)
	}
	return Rate{Posts: posts, Per: per}, nil
}

// oneRate reads [fab] auth_rate_limit, which may be several.
func oneRate(v airflowcfg.Value) (string, error) {
	if v.Text == "" {
		return "", nil
	}
	if _, err := asRate(raw{kind: text, text: v.Text, env: true}); err != nil {
		return "", fmt.Errorf("%s: %w", v.From, err)
	}
	return v.Text, nil
}

// unlimited reads [fab] auth_rate_limited, without which the limit is not looked at.
func unlimited(v airflowcfg.Value) (string, error) {
	if v.Text == "" {
		return "", nil
	}
	limited, err := v.Bool()
	if err != nil || limited {
		return "", err
	}
	return "off", nil
}
