package session

import (
	"bytes"
	"strings"
)

// The one class that sessions hold values of: a flash's message.
const markupModule, markupName = "markupsafe", "Markup"

// A markupClass stands for that class while a pickle is read.
type markupClass struct{}

// global takes the name of a class. There is one.
func (r *pickleReader) global(op byte) error {
	var module, name string
	if op == opGlobal {
		lines := bytes.SplitN(r.in, []byte("\n"), 3)
		if len(lines) < 3 {
			return unreadable("pickle: it ends too early")
		}
		module, name, r.in = string(lines[0]), string(lines[1]), lines[2]
	} else {
		names, err := r.pop(2)
		if err != nil {
			return err
		}
		module, _ = names[0].v.(string)
		name, _ = names[1].v.(string)
	}
	if module != markupModule || name != markupName {
		return unreadable("pickle: the class or function %.40q of %.40q, which no session of Airflow's has", name, module)
	}
	return r.push(markupClass{}, 0, 0)
}

// markup makes Markup of the class and a tuple of one text.
func (r *pickleReader) markup() error {
	parts, err := r.pop(2)
	if err != nil {
		return err
	}
	_, class := parts[0].v.(markupClass)
	args, _ := parts[1].v.(Tuple)
	if !class || len(args) != 1 {
		return unreadable("pickle: an object that is no Markup")
	}
	text, ok := args[0].(string)
	if !ok {
		return unreadable("pickle: Markup of what is no text")
	}
	return r.push(Markup(strings.Clone(text)), 0, 0)
}
