package record_test

import (
	"bytes"
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/record"
)

// memory keeps what it was given: copies of the records, and the values.
type memory struct {
	kept   map[string]string
	values [][]byte
	err    error
}

func (m *memory) Commit(changes []record.Change) error {
	m.kept = make(map[string]string)
	for _, c := range changes {
		m.values = append(m.values, c.Value)
		m.kept[c.Key] = string(c.Value)
		if c.Value == nil {
			m.kept[c.Key] = "deleted"
		}
	}
	return m.err
}

func (m *memory) Records() (map[string][]byte, error) {
	out := make(map[string][]byte)
	for k, v := range m.kept {
		value := []byte(v)
		m.values = append(m.values, value)
		out[k] = value
	}
	return out, m.err
}

// cleared tells whether nothing is left in the values that went through.
func (m *memory) cleared() bool {
	for _, v := range m.values {
		if len(bytes.Trim(v, "\x00")) > 0 {
			return false
		}
	}
	return true
}

func TestChangesAreCommittedAndTheirValuesCleared(t *testing.T) {
	full := errors.New("full")
	for _, fails := range []error{nil, full} {
		m := memory{err: fails}
		var e record.Encoder
		e.Put("card/head", map[string]int{"A": 1})
		e.PutBytes("data/1", []byte("as it is"))
		e.PutBytes("data/2", nil)
		e.Drop("key/1")
		e.Fail(nil)
		if err := e.Commit(&m); !errors.Is(err, fails) {
			t.Errorf("commit: %v, want %v", err, fails)
		}
		want := map[string]string{"card/head": `{"A":1}`, "data/1": "as it is", "data/2": "deleted", "key/1": "deleted"}
		if diff := cmp.Diff(want, m.kept); diff != "" {
			t.Error(diff)
		}
		if !m.cleared() {
			t.Error("secrets are left behind")
		}
	}
}

func TestNothingIsCommittedIfSomethingFailed(t *testing.T) {
	unknown := errors.New("unknown")
	for name, fail := range map[string]func(*record.Encoder){
		"told":            func(e *record.Encoder) { e.Fail(unknown) },
		"cannot be coded": func(e *record.Encoder) { e.Put("data/2", math.NaN()) },
	} {
		m, secret := memory{}, []byte("secret")
		var e record.Encoder
		e.PutBytes("data/1", secret)
		fail(&e)
		e.Drop("data/3")
		if err := e.Commit(&m); err == nil || m.kept != nil {
			t.Errorf("%s: %v, kept %v", name, err, m.kept)
		}
		if string(secret) == "secret" {
			t.Errorf("%s: the secret is left behind", name)
		}
	}
}

func TestWhatWasReadIsCleared(t *testing.T) {
	bad := errors.New("damaged")
	for _, fails := range []error{nil, bad} {
		m := memory{kept: map[string]string{"key/1": "secret"}}
		err := record.Read(&m, func(records map[string][]byte) error {
			if string(records["key/1"]) != "secret" {
				t.Errorf("read %q", records)
			}
			return fails
		})
		if !errors.Is(err, fails) || !m.cleared() {
			t.Errorf("%v, want %v; cleared: %v", err, fails, m.cleared())
		}
	}
	m := memory{err: bad}
	if err := record.Read(&m, func(map[string][]byte) error { t.Error("decoded"); return nil }); !errors.Is(err, bad) {
		t.Errorf("%v, want %v", err, bad)
	}
}
