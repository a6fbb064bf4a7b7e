package airflowcfg

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// Bool follows Airflow's getboolean. The value does not appear in the error.
func (v Value) Bool() (bool, error) {
	text, _, _ := strings.Cut(strings.ToLower(v.Text), "#")
	switch strings.TrimFunc(text, isSpace) {
	case "t", "true", "1":
		return true, nil
	case "f", "false", "0":
		return false, nil
	}
	return false, errors.New(v.From + ": not a boolean: write True or False")
}

// Int follows Airflow's getint: a whole number, or a decimal one without a
// fraction. Python's 1_000 is refused.
func (v Value) Int() (int, error) {
	text := strings.TrimFunc(v.Text, isSpace)
	if n, err := strconv.Atoi(text); err == nil {
		return n, nil
	}
	// Beyond 2^53 a float is no longer the number that was written.
	if x, err := strconv.ParseFloat(text, 64); err == nil && x == math.Trunc(x) && math.Abs(x) < 1<<53 {
		return int(x), nil
	}
	return 0, errors.New(v.From + ": not a whole number")
}

// List follows Airflow's getlist: split at commas, each item trimmed; an empty
// value is no items, an empty item stays one.
func (v Value) List() []string {
	if v.Text == "" {
		return nil
	}
	items := strings.Split(v.Text, ",")
	for i, item := range items {
		items[i] = strings.TrimFunc(item, isSpace)
	}
	return items
}
