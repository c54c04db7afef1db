package record

import (
	"encoding/json"
	"errors"
)

// Encoder collects changes until they are committed. The zero value has none.
type Encoder struct {
	changes []Change
	err     error
}

// Put writes a record in JSON.
func (e *Encoder) Put(key string, v any) {
	value, err := json.Marshal(v)
	e.Fail(err)
	e.PutBytes(key, value)
}

// PutBytes writes a record as it is, or deletes it if the value is nil. The
// value is cleared by Commit.
func (e *Encoder) PutBytes(key string, value []byte) {
	e.changes = append(e.changes, Change{key, value})
}

// Drop deletes a record, which need not be there.
func (e *Encoder) Drop(key string) { e.PutBytes(key, nil) }

// Fail has nothing committed, for a reason that Commit returns. A nil error
// does nothing.
func (e *Encoder) Fail(err error) { e.err = errors.Join(e.err, err) }

// Commit hands the changes to a Store, unless something failed, and clears
// their values.
func (e *Encoder) Commit(s Store) error {
	err := e.err
	if err == nil {
		err = s.Commit(e.changes)
	}
	for _, c := range e.changes {
		clear(c.Value)
	}
	return err
}
