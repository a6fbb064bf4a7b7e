package apiv1

import (
	"bytes"
	"slices"
)

// A shape says how one JSON value of Airflow 3's becomes one of Airflow 2's: it
// consumes the value and writes what has become of it.
type shape interface {
	rewrite(s *scanner, o *out) error
}

// asIs is a value that both Airflows have alike.
type asIs struct{}

func (asIs) rewrite(s *scanner, o *out) error { return s.value(o) }

// A list is an array of values of one shape.
type list struct{ of shape }

func (l list) rewrite(s *scanner, o *out) error {
	n := 0
	o.open('[')
	err := s.array(func() error {
		o.element(n)
		n++
		return l.of.rewrite(s, o)
	})
	o.shut(']', n)
	return err
}

// A dict is an object of any names, whose values have one shape.
type dict struct{ of shape }

func (d dict) rewrite(s *scanner, o *out) error {
	n := 0
	o.open('{')
	err := s.object(func(name []byte) error {
		if len(name) >= maxName-len(`""`) {
			return errTooLarge // it was cut
		}
		o.member(n, string(name))
		n++
		return d.of.rewrite(s, o)
	})
	o.shut('}', n)
	return err
}

// An inner is the one member of an object that counts: the object is taken off.
type inner struct {
	name string
	as   shape
}

func (in inner) rewrite(s *scanner, o *out) error {
	found := false
	err := s.object(func(name []byte) error {
		if found || string(name) != in.name {
			return s.skip()
		}
		found = true
		return in.as.rewrite(s, o)
	})
	if err == nil && !found {
		err = errSyntax
	}
	return err
}

// A firstOf is the first element of an array, which has one at least.
type firstOf struct{ of shape }

func (f firstOf) rewrite(s *scanner, o *out) error {
	found := false
	err := s.array(func() error {
		if found {
			return s.skip()
		}
		found = true
		return f.of.rewrite(s, o)
	})
	if err == nil && !found {
		err = errSyntax
	}
	return err
}

// A field is one member of an object of Airflow 2's. Without from it is the
// constant null.
type field struct {
	name string
	from []string // members of Airflow 3's
	as   shape    // what becomes of the one member that comes, while it does; nil: as it came
	make maker    // or how it is made of members that are held
	null string   // JSON in the place of null and of what is not there; empty for null
}

// A maker appends to dst what becomes of values, each of them nil where it is
// null or not there. Who appends nothing means null.
type maker func(dst []byte, values [][]byte) []byte

// same are members that both Airflows have alike.
func same(names ...string) []field { return fieldsOf(field{}, names) }

// times are dates and times.
func times(names ...string) []field { return fieldsOf(field{make: datetime}, names) }

// constant are members that Airflow 3 has no more, each with one JSON value.
func constant(json string, names ...string) []field {
	fields := fieldsOf(field{null: json}, names)
	for i := range fields {
		fields[i].from = nil
	}
	return fields
}

func fieldsOf(f field, names []string) (fields []field) {
	for _, name := range names {
		f.name, f.from = name, []string{name}
		fields = append(fields, f)
	}
	return fields
}

// orElse puts JSON in the place of null, in every one of fields.
func orElse(json string, fields []field) []field {
	for i := range fields {
		fields[i].null = json
	}
	return fields
}

// datetime is the first of its values that is there. Airflow 2 ended times with
// +00:00 where Airflow 3 has Z, and Python before 3.11 reads no other.
func datetime(dst []byte, values [][]byte) []byte {
	for _, v := range values {
		if z, ok := bytes.CutSuffix(v, []byte(`Z"`)); ok {
			return append(append(dst, z...), `+00:00"`...)
		} else if v != nil {
			return append(dst, v...)
		}
	}
	return dst
}

// oneOf keeps a value that is one of known, puts what it is called in Airflow 2
// for one of renamed, and otherwise for what neither knows: old clients raise on a
// value that their own list has not.
func oneOf(otherwise string, known []string, renamed map[string]string) maker {
	return func(dst []byte, values [][]byte) []byte {
		v := values[0]
		if v == nil {
			return dst
		}
		name := string(bytes.Trim(v, `"`))
		if was, ok := renamed[name]; ok {
			name = was
		} else if !slices.Contains(known, name) {
			name = otherwise
		}
		return append(append(append(dst, '"'), name...), '"')
	}
}

// Bounds on declarations, which newObject checks.
const (
	maxFields  = 64 // of an object: a bit for each
	maxSources = 4  // of a field
)

// An object has exactly its fields. What else Airflow 3 has is left out, what it
// has no more is null or as declared. They come in Airflow 3's order, since nothing
// is held that need not be.
type object struct {
	fields []field
	uses   map[string][]use // of Airflow 3's members
}

// A use is a member of Airflow 3's in a field.
type use struct{ field, source int }

// pending is a value that is held for a field.
type pending struct {
	use
	from, to int
}

// objectOf makes an object of fields. It panics on a declaration that cannot be
// one, so that no test passes with it.
func objectOf(groups ...[]field) *object {
	ob := &object{fields: slices.Concat(groups...), uses: map[string][]use{}}
	if len(ob.fields) > maxFields {
		panic("apiv1: an object of too many fields")
	}
	names := map[string]bool{}
	for i, f := range ob.fields {
		if names[f.name] || len(f.from) > maxSources || f.as != nil && (len(f.from) == 0 || f.make != nil) {
			panic("apiv1: the field " + f.name + " is there twice, or made of too much")
		}
		names[f.name] = true
		for source, name := range f.from {
			ob.uses[name] = append(ob.uses[name], use{i, source})
		}
	}
	return ob
}

// only is ob with the named fields alone, in its own order; or the first name
// that it has not.
func (ob *object) only(names []string) (*object, string) {
	for _, name := range names {
		if !slices.ContainsFunc(ob.fields, func(f field) bool { return f.name == name }) {
			return nil, name
		}
	}
	return objectOf(slices.DeleteFunc(slices.Clone(ob.fields), func(f field) bool { return !slices.Contains(names, f.name) })), ""
}

func (ob *object) rewrite(s *scanner, o *out) error {
	if null, err := s.null(); null || err != nil {
		o.text("null")
		return err
	}
	held, waiting := len(o.held), len(o.pending)
	var written uint64
	n := 0
	o.open('{')
	err := s.members(o.rows.of(ob), func(uses []use) error {
		if len(uses) == 0 {
			return s.skip()
		}
		f := &ob.fields[uses[0].field]
		if len(uses) > 1 || len(f.from) > 1 && f.as == nil {
			return o.hold(s, uses)
		}
		if written&(1<<uses[0].field) != 0 { // said twice, counted once
			return s.skip()
		}
		written |= 1 << uses[0].field
		o.member(n, f.name)
		n++
		return f.rewrite(s, o)
	})
	if err != nil {
		return err
	}
	for i := range ob.fields {
		if written&(1<<i) == 0 {
			o.member(n, ob.fields[i].name)
			n++
			ob.fields[i].late(i, o, o.pending[waiting:])
		}
	}
	o.shut('}', n)
	o.held, o.pending = o.held[:held], o.pending[:waiting]
	return nil
}

// A sequence is the members of an object of Airflow 3's in the order in which the
// last one of its shape had them. The next one has them so too, and need not be
// looked up name by name.
type sequence struct {
	ob    *object
	steps []step
}

// A step is a member as it is written, and the fields that it is for.
type step struct {
	label []byte // "name":
	uses  []use
}

// sequences are those of an answer; an answer has a handful of shapes.
type sequences []*sequence

func (ss *sequences) of(ob *object) *sequence {
	for _, s := range *ss {
		if s.ob == ob {
			return s
		}
	}
	s := &sequence{ob: ob}
	*ss = append(*ss, s)
	return s
}

// maxSteps bounds what is remembered of an object.
const maxSteps = 128

// members calls member for each member of the object that comes next, with the
// fields that it is for; member consumes the value.
func (s *scanner) members(seq *sequence, member func([]use) error) error {
	i := 0
	return s.container('{', '}', func() error {
		if _, err := s.peek(); err != nil {
			return err
		}
		i++
		if i <= len(seq.steps) && s.prefix(seq.steps[i-1].label) {
			return member(seq.steps[i-1].uses)
		}
		if err := s.memberName(); err != nil {
			return err
		}
		uses := seq.ob.uses[string(s.name)]
		if i == len(seq.steps)+1 && i <= maxSteps {
			seq.steps = append(seq.steps, step{append(append([]byte{'"'}, s.name...), `":`...), uses})
		}
		return member(uses)
	})
}

// hold keeps the next value for each of its uses.
func (o *out) hold(s *scanner, uses []use) error {
	if null, err := s.null(); null || err != nil {
		return err
	}
	from := len(o.held)
	if value, ok := s.view(); ok {
		o.held = append(o.held, value...)
	} else {
		var err error
		if o.held, err = s.hold(o.held, maxHeld); err != nil {
			return err
		}
	}
	for _, u := range uses {
		o.pending = append(o.pending, pending{u, from, len(o.held)})
	}
	return nil
}

// rewrite writes the field's value while its one member comes.
func (f *field) rewrite(s *scanner, o *out) error {
	null, err := s.null()
	switch {
	case err != nil:
		return err
	case null:
		f.writeNull(o)
		return nil
	case f.as != nil:
		return f.as.rewrite(s, o)
	case f.make == nil:
		return s.value(o)
	}
	if value, ok := s.view(); ok {
		o.values[0] = value
		f.writeMade(o, 1)
		return nil
	}
	held := len(o.held)
	if o.held, err = s.hold(o.held, maxHeld); err != nil {
		return err
	}
	o.values[0] = o.held[held:]
	f.writeMade(o, 1)
	o.held = o.held[:held]
	return nil
}

// late writes the value of field i, whose members were held or did not come.
func (f *field) late(i int, o *out, waiting []pending) {
	clear(o.values[:])
	for _, p := range waiting {
		if p.field == i {
			o.values[p.source] = o.held[p.from:p.to]
		}
	}
	if f.make == nil { // of one member, which is another field's too
		o.made = append(o.made[:0], o.values[0]...)
		f.writeBytes(o)
		return
	}
	f.writeMade(o, len(f.from))
}

func (f *field) writeMade(o *out, sources int) {
	o.made = f.make(o.made[:0], o.values[:sources])
	f.writeBytes(o)
}

func (f *field) writeBytes(o *out) {
	if len(o.made) == 0 {
		f.writeNull(o)
		return
	}
	_, _ = o.Write(o.made)
}

func (f *field) writeNull(o *out) {
	if f.null == "" {
		o.text("null")
		return
	}
	o.text(f.null)
}
