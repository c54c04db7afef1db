package piv_test

import (
	"encoding/hex"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/pivimage"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/slot"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/token/driver"
	"github.com/go-cryptoki/cryptoki/token/piv"
)

const (
	userPIN  = virtual.DefaultPIVPIN
	userPUK  = virtual.DefaultPIVPUK
	adminHex = "010203040506070801020304050607080102030405060708"
)

// rig is a card in a reader, its token, and what was said to it.
type rig struct {
	*testing.T
	card    *virtual.Card
	readers *virtual.Provider
	token   token.Token

	mu   sync.Mutex
	said []string // commands, in hexadecimal
}

func newRig(t *testing.T, opts ...virtual.Option) *rig {
	t.Helper()
	r := &rig{T: t}
	opts = append(opts, virtual.Observe(func(command, _ []byte) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.said = append(r.said, strings.ToUpper(hex.EncodeToString(command)))
	}))
	r.card = virtual.New(opts...)
	r.connect()
	return r
}

// connect opens the card as a program does that has just been started.
func (r *rig) connect() {
	r.Helper()
	if r.readers != nil {
		r.must(r.readers.Remove("Virtual 00"))
	}
	r.readers = virtual.Single(r.card)
	list := slot.NewList(r.readers, []driver.Driver{piv.Driver()})
	r.Cleanup(func() { list.Close() })
	slots, err := list.Slots(r.Context(), true)
	if err != nil || len(slots) != 1 {
		r.Fatalf("%d slots, %v", len(slots), err)
	}
	if r.token, err = slots[0].Token(r.Context()); err != nil {
		r.Fatal(err)
	}
}

// exchanges returns what was said since the last call.
func (r *rig) exchanges() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	said := r.said
	r.said = nil
	return said
}

func pin(s string) token.PIN { return token.NewPIN([]byte(s)) }

func (r *rig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func (r *rig) code(err error, want ckr.Code) {
	r.Helper()
	if ckr.Of(err) != want {
		r.Errorf("got %v, want %v", err, want)
	}
}

// open opens a read/write session that asks for the management key, unless it
// is empty.
func (r *rig) open(admin string) *session.Session {
	r.Helper()
	opts := []session.Option{session.ReadWrite()}
	if admin != "" {
		opts = append(opts, session.WithPINFunc(token.StaticPIN([]byte(admin))))
	}
	s, err := session.Open(r.Context(), r.token, opts...)
	r.must(err)
	r.Cleanup(func() { s.Close() })
	return s
}

func (r *rig) user(admin string) *session.Session {
	r.Helper()
	s := r.open(admin)
	r.must(s.Login(r.Context(), token.User, pin(userPIN)))
	return s
}

func (r *rig) find(s *session.Session, match ...object.Attribute) []*object.Object {
	r.Helper()
	var found []*object.Object
	for o, err := range s.Find(r.Context(), match...) {
		r.must(err)
		found = append(found, o)
	}
	return found
}

func (r *rig) one(s *session.Session, class object.Class, id byte) *object.Object {
	r.Helper()
	found := r.find(s, object.AttrClass.Is(class), object.AttrID.Is([]byte{id}))
	if len(found) != 1 {
		r.Fatalf("%d objects of class %v with id %02X", len(found), class, id)
	}
	return found[0]
}

// images are the cards of the test set.
func images(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../../apdu/virtual/testdata/piv/*.json.gz")
	if err != nil || len(files) != 28 {
		t.Fatalf("%d images, %v", len(files), err)
	}
	return files
}

func image(t *testing.T, file string) virtual.PIVImage {
	t.Helper()
	i, err := pivimage.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	return i
}
