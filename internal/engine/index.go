package engine

import (
	"github.com/go-cryptoki/cryptoki/object"
)

// The lists that a session object is in: of its application, and of the
// session that owns it; and those of the objects with the same label and with
// the same id, unless that is empty.
const (
	inToken = iota
	inSession
	byLabel
	byID
	lists
)

// neighbours is an entry's place in one list.
type neighbours struct{ next, prev *entry }

// list is a list of entries in the order in which they came.
type list struct{ first, last *entry }

func (l *list) push(e *entry, in int) {
	e.links[in] = neighbours{prev: l.last}
	if l.last == nil {
		l.first = e
	} else {
		l.last.links[in].next = e
	}
	l.last = e
}

func (l *list) remove(e *entry, in int) {
	at := e.links[in]
	if at.prev == nil {
		l.first = at.next
	} else {
		at.prev.links[in].next = at.next
	}
	if at.next == nil {
		l.last = at.prev
	} else {
		at.next.links[in].prev = at.prev
	}
	e.links[in] = neighbours{}
}

// index finds the session objects of an application. Whoever uses it holds
// the Token's lock.
type index struct {
	all    list
	labels map[string]list
	ids    map[string]list
}

// add takes an object in. Its attributes are there.
func (x *index) add(e *entry) {
	x.all.push(e, inToken)
	e.owner.objects.push(e, inSession)
	x.name(e)
}

// remove takes an object out. Its attributes are still there.
func (x *index) remove(e *entry) {
	x.all.remove(e, inToken)
	e.owner.objects.remove(e, inSession)
	x.unname(e)
}

// name enters an object under its label and its id.
func (x *index) name(e *entry) {
	enter(&x.labels, e, byLabel, e.indexed(object.AttrLabel.Type))
	enter(&x.ids, e, byID, e.indexed(object.AttrID.Type))
}

// unname is the reverse of name, before label or id change.
func (x *index) unname(e *entry) {
	leave(x.labels, e, byLabel, e.indexed(object.AttrLabel.Type))
	leave(x.ids, e, byID, e.indexed(object.AttrID.Type))
}

// indexed is the value of an attribute, empty if it is not there.
func (e *entry) indexed(t object.Type) []byte {
	a, _ := e.shown.Lookup(t)
	return a.Bytes()
}

func enter(m *map[string]list, e *entry, in int, key []byte) {
	if len(key) == 0 {
		return
	}
	if *m == nil {
		*m = make(map[string]list)
	}
	l := (*m)[string(key)]
	l.push(e, in)
	(*m)[string(key)] = l
}

func leave(m map[string]list, e *entry, in int, key []byte) {
	if len(key) == 0 {
		return
	}
	l := m[string(key)]
	l.remove(e, in)
	if l.first == nil {
		delete(m, string(key))
		return
	}
	m[string(key)] = l
}

// candidates returns a list that has all objects that may match, and which
// one of their lists it is.
func (x *index) candidates(match []object.Attribute) (l list, in int) {
	for _, a := range match {
		switch {
		case len(a.Bytes()) == 0:
		case a.Type == object.AttrLabel.Type:
			return x.labels[string(a.Bytes())], byLabel
		case a.Type == object.AttrID.Type:
			return x.ids[string(a.Bytes())], byID
		}
	}
	return x.all, inToken
}
