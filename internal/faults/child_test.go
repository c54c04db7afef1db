package faults_test

import (
	"context"
	"crypto/fips140"
	"fmt"
	"os"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// child plays a role in a process of its own; it is the exit code.
func child(role string) int {
	path := os.Getenv("FAULTS_PATH")
	switch role {
	case "write":
		return writeForEver(path)
	case "open":
		card, err := virtual.Open(path)
		if err != nil {
			fmt.Println(err)
			return 3
		}
		card.Close()
		return 0
	case "full":
		return fullDisk(path)
	case "files":
		return inherited(path)
	case "fips":
		if !fips140.Enabled() {
			return 4
		}
		return fipsChild()
	}
	return 2
}

// inherited looks for a card file among the open files.
func inherited(path string) int {
	want, err := os.Stat(path)
	if err != nil {
		return 2
	}
	for fd := uintptr(3); fd < 256; fd++ {
		f := os.NewFile(fd, "inherited")
		if f == nil {
			continue
		}
		if got, err := f.Stat(); err == nil && os.SameFile(got, want) {
			return 3
		}
	}
	return 0
}

// openChild opens a session of the user with a card.
func openChild(card *virtual.Card) (*cryptoki.Module, *session.Session, error) {
	ctx := context.Background()
	m, err := cryptoki.Open(ctx, cryptoki.WithProvider(virtual.Single(card)))
	if err != nil {
		return nil, nil, err
	}
	slots, err := m.Slots(ctx, true)
	if err != nil || len(slots) == 0 {
		return nil, nil, fmt.Errorf("%d slots, %w", len(slots), err)
	}
	s, err := m.OpenSession(ctx, slots[0].ID(), session.ReadWrite())
	if err != nil {
		return nil, nil, err
	}
	return m, s, s.Login(ctx, token.User, pin(userPIN))
}
