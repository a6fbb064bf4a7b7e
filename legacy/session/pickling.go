package session

import (
	"encoding/binary"
	"math"
	"time"
)

// writePickle writes a session in protocol 4, which every Python that Airflow 2.3
// to 2.11 runs on reads. Nothing is remembered for another time.
func writePickle(v Values) ([]byte, error) {
	out, err := appendPickle([]byte{opProto, 4}, v, 1)
	return append(out, opStop), err
}

func appendPickle(out []byte, v any, depth int) ([]byte, error) {
	if depth > maxDepth+1 {
		return nil, unreadable("nested too deeply")
	}
	switch v := v.(type) {
	case nil:
		return append(out, opNone), nil
	case bool:
		if v {
			return append(out, opNewTrue), nil
		}
		return append(out, opNewFalse), nil
	case int:
		return pickleInt(out, int64(v)), nil
	case int64:
		return pickleInt(out, v), nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, unreadable("a float that is no number")
		}
		return binary.BigEndian.AppendUint64(append(out, opBinFloat), math.Float64bits(v)), nil
	case string:
		return pickleText(out, v)
	case []byte:
		return append(binary.LittleEndian.AppendUint32(append(out, opBinBytes), uint32(len(v))), v...), nil
	case Markup:
		return pickleMarkup(out, v)
	case Tuple:
		return pickleGroup(append(out, opMark), v, opTuple, depth)
	case []any:
		return pickleGroup(append(out, opEmptyList, opMark), v, opAppends, depth)
	case map[string]any:
		items := make([]any, 0, 2*len(v))
		for _, key := range sortedKeys(v) {
			items = append(items, key, v[key])
		}
		return pickleGroup(append(out, opEmptyDict, opMark), items, opSetItems, depth)
	case UUID, time.Time:
		return nil, unreadable("a %T, which a pickled row never holds", v)
	}
	return nil, unreadable("a value of the type %T", v)
}

func pickleGroup(out []byte, items []any, end byte, depth int) ([]byte, error) {
	for _, item := range items {
		var err error
		if out, err = appendPickle(out, item, depth+1); err != nil {
			return nil, err
		}
	}
	return append(out, end), nil
}

func pickleInt(out []byte, n int64) []byte {
	if math.MinInt32 <= n && n <= math.MaxInt32 {
		return binary.LittleEndian.AppendUint32(append(out, opBinInt), uint32(n))
	}
	return binary.LittleEndian.AppendUint64(append(out, opLong1, 8), uint64(n))
}

func pickleText(out []byte, s string) ([]byte, error) {
	if err := checkText(s); err != nil {
		return nil, err
	}
	out = binary.LittleEndian.AppendUint32(append(out, opBinUnicode), uint32(len(s)))
	return append(out, s...), nil
}

func pickleMarkup(out []byte, m Markup) (_ []byte, err error) {
	for _, text := range []string{markupModule, markupName} {
		if out, err = pickleText(out, text); err != nil {
			return nil, err
		}
	}
	if out, err = pickleText(append(out, opStackGlobal), string(m)); err != nil {
		return nil, err
	}
	return append(out, opTuple1, opNewObj), nil
}
