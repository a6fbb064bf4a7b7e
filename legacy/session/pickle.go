package session

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
)

// The opcodes that a session of Airflow's consists of, by the names that they
// have in Python's pickletools. There is no other in here: each but the last
// four of the second group makes or gathers plain data, and those make one thing
// alone, markupsafe's Markup of one text. Nothing is looked up, and nothing called.
const (
	opProto, opFrame, opStop = 0x80, 0x95, '.'
	opMark, opMemoize        = '(', 0x94
	opBinPut, opLongBinPut   = 'q', 'r'
	opBinGet, opLongBinGet   = 'h', 'j'

	opNone, opNewTrue, opNewFalse               = 'N', 0x88, 0x89
	opBinInt, opBinInt1, opBinInt2, opLong1     = 'J', 'K', 'M', 0x8a
	opBinFloat                                  = 'G'
	opShortBinUnicode, opBinUnicode             = 0x8c, 'X'
	opShortBinBytes, opBinBytes                 = 'C', 'B'
	opEmptyDict, opSetItem, opSetItems          = '}', 's', 'u'
	opEmptyList, opAppend, opAppends            = ']', 'a', 'e'
	opEmptyTuple, opTuple                       = ')', 't'
	opTuple1, opTuple2, opTuple3                = 0x85, 0x86, 0x87
	opGlobal, opStackGlobal, opNewObj, opReduce = 'c', 0x93, 0x81, 'R'
)

// maxMemo bounds how many values a pickle may want to remember.
const maxMemo = maxItems

// A mark is where a group of values begins.
type mark struct{}

// A pickled value, and how deeply it nests.
type pickled struct {
	v     any
	depth int
}

// A pickleReader is a stack machine for those opcodes.
type pickleReader struct {
	in     []byte
	stack  []pickled
	memo   map[uint32]pickled
	budget budget
}

// readPickle reads a session as Python's pickle writes it, in the protocols 3 to
// 5: those of Python 3.
func readPickle(data []byte) (Values, error) {
	if len(data) > maxText {
		return nil, unreadable("more than %d bytes", maxText)
	}
	if len(data) < 2 || data[0] != opProto || data[1] < 3 || data[1] > 5 {
		return nil, unreadable("pickle: not of the protocols 3 to 5")
	}
	r := pickleReader{in: data[2:], memo: map[uint32]pickled{}, budget: newBudget()}
	for {
		op, err := r.bytes(1)
		if err != nil {
			return nil, err
		}
		if op[0] == opStop {
			return r.end()
		}
		if err := r.step(op[0]); err != nil {
			return nil, err
		}
	}
}

// end gives the session: the only value that is left.
func (r *pickleReader) end() (Values, error) {
	if len(r.in) > 0 || len(r.stack) != 1 {
		return nil, unreadable("pickle: something stands beside the session")
	}
	values, ok := r.stack[0].v.(map[string]any)
	if !ok {
		return nil, unreadable("pickle: not a dict")
	}
	return values, nil
}

// step obeys one opcode.
func (r *pickleReader) step(op byte) error {
	switch op {
	case opFrame: // how what follows may be read ahead
		_, err := r.bytes(8)
		return err
	case opMark:
		return r.push(mark{}, 0, 0)
	case opMemoize, opBinPut, opLongBinPut:
		return r.put(op)
	case opBinGet, opLongBinGet:
		return r.get(op)
	case opNone:
		return r.push(nil, 0, 0)
	case opNewTrue, opNewFalse:
		return r.push(op == opNewTrue, 0, 0)
	case opBinInt, opBinInt1, opBinInt2, opLong1, opBinFloat:
		return r.number(op)
	case opShortBinUnicode, opBinUnicode, opShortBinBytes, opBinBytes:
		return r.text(op)
	case opEmptyDict:
		return r.push(map[string]any{}, 1, 0)
	case opEmptyList:
		return r.push([]any{}, 1, 0)
	case opEmptyTuple:
		return r.push(Tuple{}, 1, 0)
	case opSetItem, opSetItems, opAppend, opAppends:
		return r.gather(op)
	case opTuple, opTuple1, opTuple2, opTuple3:
		return r.tuple(op)
	case opGlobal, opStackGlobal:
		return r.global(op)
	case opNewObj, opReduce:
		return r.markup()
	}
	return unreadable("pickle: the opcode %#02x, which no session of Airflow's has", op)
}

func (r *pickleReader) bytes(n int) ([]byte, error) {
	if n < 0 || n > len(r.in) {
		return nil, unreadable("pickle: it ends too early")
	}
	b := r.in[:n]
	r.in = r.in[n:]
	return b, nil
}

func (r *pickleReader) push(v any, depth, text int) error {
	if depth > maxDepth {
		return unreadable("pickle: nested too deeply")
	}
	r.stack = append(r.stack, pickled{v, depth})
	return r.budget.item(text)
}

// pop takes n values off the stack, none of them a mark.
func (r *pickleReader) pop(n int) ([]pickled, error) {
	if n > len(r.stack) {
		return nil, unreadable("pickle: too few values")
	}
	top := r.stack[len(r.stack)-n:]
	if slices.ContainsFunc(top, isMark) {
		return nil, unreadable("pickle: a mark too many")
	}
	r.stack = r.stack[:len(r.stack)-n]
	return top, nil
}

// popMark takes off all that stands above the last mark, and the mark.
func (r *pickleReader) popMark() ([]pickled, error) {
	for i := len(r.stack) - 1; i >= 0; i-- {
		if isMark(r.stack[i]) {
			top := r.stack[i+1:]
			r.stack = r.stack[:i]
			return top, nil
		}
	}
	return nil, unreadable("pickle: no mark")
}

func isMark(p pickled) bool { _, is := p.v.(mark); return is }

func (r *pickleReader) index(op byte) (uint32, error) {
	size := 1
	if op == opLongBinPut || op == opLongBinGet {
		size = 4
	}
	b, err := r.bytes(size)
	if err != nil {
		return 0, err
	}
	if size == 1 {
		return uint32(b[0]), nil
	}
	return binary.LittleEndian.Uint32(b), nil
}

func (r *pickleReader) put(op byte) error {
	n := uint32(len(r.memo))
	if op != opMemoize {
		var err error
		if n, err = r.index(op); err != nil {
			return err
		}
	}
	if len(r.memo) >= maxMemo || len(r.stack) == 0 || isMark(r.stack[len(r.stack)-1]) {
		return unreadable("pickle: nothing to remember, or too much")
	}
	r.memo[n] = r.stack[len(r.stack)-1]
	return nil
}

// get gives a value for another time. Only of those that cannot change and hold
// no others: else a short pickle could be an endless session, or one without a
// bottom.
func (r *pickleReader) get(op byte) error {
	n, err := r.index(op)
	if err != nil {
		return err
	}
	p, ok := r.memo[n]
	if !ok {
		return unreadable("pickle: a value that was never remembered")
	}
	switch v := p.v.(type) {
	case string:
		return r.push(v, 0, len(v))
	case Markup:
		return r.push(v, 0, len(v))
	case []byte:
		return r.push(bytes.Clone(v), 0, len(v))
	case markupClass:
		return r.push(v, 0, 0)
	}
	return unreadable("pickle: one list, dict or tuple in two places")
}

func (r *pickleReader) number(op byte) error {
	size := 1
	switch op {
	case opBinInt2:
		size = 2
	case opBinInt:
		size = 4
	case opBinFloat:
		size = 8
	}
	b, err := r.bytes(size)
	if err == nil && op == opLong1 {
		b, err = r.bytes(int(b[0]))
	}
	if err != nil {
		return err
	}
	if op == opBinFloat {
		f := math.Float64frombits(binary.BigEndian.Uint64(b))
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return unreadable("pickle: a float that is no number")
		}
		return r.push(f, 0, 0)
	}
	if len(b) > 8 {
		return unreadable("pickle: a number beyond 64 bits")
	}
	var n int64
	for i := len(b) - 1; i >= 0; i-- {
		n = n<<8 | int64(b[i])
	}
	if signed := op == opBinInt || op == opLong1; signed && len(b) > 0 && b[len(b)-1] >= 0x80 && len(b) < 8 {
		n -= 1 << (8 * len(b))
	}
	return r.push(n, 0, 0)
}

func (r *pickleReader) text(op byte) error {
	short := op == opShortBinUnicode || op == opShortBinBytes
	size := 4
	if short {
		size = 1
	}
	b, err := r.bytes(size)
	if err != nil {
		return err
	}
	n := uint32(b[0])
	if !short {
		n = binary.LittleEndian.Uint32(b)
	}
	if n > maxText {
		return unreadable("pickle: it ends too early")
	}
	if b, err = r.bytes(int(n)); err != nil {
		return err
	}
	if op == opShortBinBytes || op == opBinBytes {
		return r.push(append([]byte{}, b...), 0, len(b))
	}
	if err := checkText(string(b)); err != nil {
		return err
	}
	return r.push(string(b), 0, len(b))
}

// gather puts values into the list or dict below them.
func (r *pickleReader) gather(op byte) error {
	var items []pickled
	var err error
	switch op {
	case opSetItem:
		items, err = r.pop(2)
	case opAppend:
		items, err = r.pop(1)
	default:
		items, err = r.popMark()
	}
	if err != nil {
		return err
	}
	if len(r.stack) == 0 {
		return unreadable("pickle: nothing to put values into")
	}
	into := &r.stack[len(r.stack)-1]
	if into.depth, err = depthOf(into.depth, items); err != nil {
		return err
	}
	isDict := op == opSetItem || op == opSetItems
	if list, ok := into.v.([]any); ok && !isDict {
		for _, p := range items {
			list = append(list, p.v)
		}
		into.v = list
		return nil
	}
	dict, ok := into.v.(map[string]any)
	if !ok || !isDict || len(items)%2 != 0 {
		return unreadable("pickle: values that do not belong where they are put")
	}
	for i := 0; i < len(items); i += 2 {
		key, ok := items[i].v.(string)
		if _, doubled := dict[key]; !ok || doubled {
			return unreadable("pickle: a key that is no text, or there already")
		}
		dict[key] = items[i+1].v
	}
	return nil
}

// depthOf is that of a container of such items. The class itself is no item.
func depthOf(depth int, items []pickled) (int, error) {
	for _, p := range items {
		if _, class := p.v.(markupClass); class {
			return 0, unreadable("pickle: a class for a value")
		}
		depth = max(depth, p.depth+1)
	}
	if depth > maxDepth {
		return 0, unreadable("pickle: nested too deeply")
	}
	return depth, nil
}

func (r *pickleReader) tuple(op byte) error {
	var items []pickled
	var err error
	if op == opTuple {
		items, err = r.popMark()
	} else {
		items, err = r.pop(int(op-opTuple1) + 1)
	}
	if err != nil {
		return err
	}
	depth, err := depthOf(1, items)
	if err != nil {
		return err
	}
	t := make(Tuple, len(items))
	for i, p := range items {
		t[i] = p.v
	}
	return r.push(t, depth, 0)
}
