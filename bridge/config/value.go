package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// set reads r as what the field's type wants and stores it. The error is a
// fault's text; it quotes a value only where the type cannot hold a secret.
func set(field reflect.Value, k key, r raw) error {
	switch p := field.Addr().Interface().(type) {
	case *string:
		return assign(p, r, asText)
	case *Secret:
		s, err := asText(r)
		*p = Secret(s)
		return err
	case *Secrets:
		return assign(p, r, asSecrets)
	case *int:
		return assign(p, r, asInt)
	case *bool:
		return assign(p, r, asBool)
	case *time.Duration:
		return assign(p, r, asDuration)
	case *Rate:
		return assign(p, r, asRate)
	case *time.Time:
		return assign(p, r, asTime)
	case *slog.Level:
		return assign(p, r, asLevel)
	case **url.URL:
		return assign(p, r, asURL)
	case *[]string:
		if k.all && r.kind == text && r.text == "all" {
			*p = nil
			return nil
		}
		err := assign(p, r, func(r raw) ([]string, error) { return asList(r, asItem) })
		if k.all && err != nil {
			return errors.New("must be all or a list")
		}
		return err
	case *[]netip.Prefix:
		return assign(p, r, func(r raw) ([]netip.Prefix, error) { return asList(r, asPrefix) })
	case *[]SimpleUser:
		return assign(p, r, func(r raw) ([]SimpleUser, error) { return asList(r, asSimpleUser) })
	case *[]Issuer:
		return assign(p, r, func(r raw) ([]Issuer, error) { return asList(r, asIssuer) })
	case *map[string]string:
		return assign(p, r, asMap)
	}
	return fmt.Errorf("no reader for %s", field.Type())
}

func assign[T any](p *T, r raw, read func(raw) (T, error)) error {
	v, err := read(r)
	if err == nil {
		*p = v
	}
	return err
}

func asText(r raw) (string, error) {
	switch {
	case r.kind == number || r.kind == other:
		return "", errors.New("must be text: put it in quotes")
	case r.kind != text:
		return "", errors.New("must be text")
	case strings.ContainsRune(r.text, 0):
		return "", errors.New("must not hold a NUL")
	}
	return r.text, nil
}

// asSecrets takes one text or a list of them. A variable is one: a secret may have
// commas.
func asSecrets(r raw) (Secrets, error) {
	if r.kind == list {
		return asList(r, func(r raw) (Secret, error) {
			s, err := asItem(r)
			return Secret(s), err
		})
	}
	s, err := asText(r)
	if err == nil && s == "" {
		return nil, nil
	}
	return Secrets{Secret(s)}, err
}

func asBool(r raw) (bool, error) {
	if r.kind != text || r.env {
		switch r.text {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
	}
	return false, errors.New("must be true or false, without quotes")
}

func asInt(r raw) (int, error) {
	n, err := strconv.Atoi(r.text)
	if err != nil || r.kind == text && !r.env {
		return 0, errors.New("must be a whole number, without quotes")
	}
	return n, nil
}

func asDuration(r raw) (time.Duration, error) {
	d, err := time.ParseDuration(r.text)
	if err != nil || r.kind != text {
		return 0, errors.New("must be a duration with its unit, such as 5s, 10m or 720h")
	}
	return d, nil
}

// asTime takes a date, which begins at midnight UTC, or a time with its zone.
func asTime(r raw) (time.Time, error) {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, r.text); err == nil && r.kind == text {
			return t.UTC(), nil
		}
	}
	return time.Time{}, errors.New("must be a date such as 2025-04-22 (midnight UTC) or a time such as 2025-04-22T08:00:00Z")
}

func asLevel(r raw) (slog.Level, error) {
	level, ok := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}[r.text]
	if !ok {
		return 0, errors.New("must be debug, info, warn or error")
	}
	return level, nil
}

func asURL(r raw) (*url.URL, error) {
	const want = "must be http:// or https://, a host and a port, such as http://127.0.0.1:8081"
	u, err := url.Parse(r.text)
	if err != nil || r.kind != text || u.Host == "" || u.Opaque != "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New(want)
	}
	if u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.Contains(r.text, "#") {
		return nil, errors.New(want + ", and nothing else")
	}
	if strings.Trim(u.Path, "/") != "" {
		return nil, errors.New("must not have a path: paths go on as they come; a base path belongs into base_path")
	}
	if port := u.Port(); u.Hostname() == "" || port == "" && strings.HasSuffix(u.Host, ":") || port != "" && !isPort(port) {
		return nil, errors.New(want)
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}

// asList takes a YAML list, or text with commas from the environment.
func asList[T any](r raw, item func(raw) (T, error)) ([]T, error) {
	items := r.items
	switch {
	case r.env:
		for _, s := range splitList(r.text) {
			items = append(items, raw{kind: text, text: s, env: true})
		}
	case r.kind != list:
		return nil, errors.New("must be a list, such as [a, b]")
	}
	values := make([]T, 0, len(items))
	for _, i := range items {
		v, err := item(i)
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return values, nil
}

// splitList splits at commas and trims; nothing but spaces is no items.
func splitList(s string) []string {
	if strings.TrimSpace(s) == "" {
		return nil
	}
	items := strings.Split(s, ",")
	for i := range items {
		items[i] = strings.TrimSpace(items[i])
	}
	return items
}

func asItem(r raw) (string, error) {
	s, err := asText(r)
	if err != nil {
		return "", fmt.Errorf("each item %w", err)
	}
	if s == "" {
		return "", errors.New("has an empty item")
	}
	return s, nil
}

func asPrefix(r raw) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(r.text); err == nil && r.kind == text {
		if p != p.Masked() {
			return netip.Prefix{}, fmt.Errorf("%s has bits beyond its length: write %s", p, p.Masked())
		}
		return p, nil
	}
	if a, err := netip.ParseAddr(r.text); err == nil && r.kind == text && a.Zone() == "" {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	return netip.Prefix{}, errors.New("each item must be an address such as 10.0.0.7 or a network such as 10.0.0.0/8")
}

// asSimpleUser reads one entry as Airflow's simple auth manager does: name:role,
// and with teams name:role:team|team.
func asSimpleUser(r raw) (SimpleUser, error) {
	parts := strings.Split(r.text, ":")
	if r.kind != text || len(parts) < 2 || len(parts) > 3 || parts[0] == "" {
		return SimpleUser{}, errors.New("each item must be name:role or name:role:team|team")
	}
	switch strings.ToLower(parts[1]) {
	case "", "viewer", "user", "op", "admin":
	default:
		return SimpleUser{}, errors.New("the role of each user must be viewer, user, op or admin, or empty for none")
	}
	u := SimpleUser{Name: parts[0], Role: parts[1]}
	if len(parts) == 3 {
		u.Teams = strings.Split(parts[2], "|")
	}
	return u, nil
}

// asMap takes a YAML mapping of texts, or a=b,c=d from the environment.
func asMap(r raw) (map[string]string, error) {
	m := map[string]string{}
	if r.env {
		for _, s := range splitList(r.text) {
			name, value, ok := strings.Cut(s, "=")
			if _, doubled := m[name]; !ok || name == "" || doubled {
				return nil, errors.New("must be name=value,name=value, each name once")
			}
			m[name] = value
		}
		return m, nil
	}
	if r.kind != mapping {
		return nil, errors.New("must be a mapping, such as {Data Engineers: op}")
	}
	for _, p := range r.pairs {
		value, err := asText(p.value)
		if err != nil {
			return nil, fmt.Errorf("each value %w", err)
		}
		m[p.name] = value
	}
	return m, nil
}
