package faults_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"

	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token"
)

// fullDisk is a child whose files may not grow any more: it writes until the
// card has no room, and looks whether the card goes on.
func fullDisk(path string) int {
	ctx := context.Background()
	info, err := os.Stat(path)
	if err != nil {
		return 10
	}
	card, err := virtual.Open(path)
	if err != nil {
		return 11
	}
	defer card.Close()
	m, s, err := openChild(card)
	if err != nil {
		return 12
	}
	defer m.Close()
	limit := syscall.Rlimit{Cur: uint64(info.Size()), Max: uint64(info.Size())}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return 13
	}
	made := 0
	for ; err == nil && made < 1000; made++ {
		_, err = s.Create(ctx, data(fmt.Sprint("object ", made), false, object.AttrValue.Is(make([]byte, 2000)))...)
	}
	if code := ckr.Of(err); code != ckr.DeviceMemory && code != ckr.DeviceError {
		fmt.Println(err)
		return 14
	}
	n := 0
	for o, err := range s.Find(ctx, object.AttrLabel.Is("first")) {
		if err == nil {
			_, err = object.Get(ctx, o, object.AttrValue)
		}
		if err != nil {
			fmt.Println(err)
			return 15
		}
		n++
	}
	if n != 1 {
		return 16
	}
	return 0
}

// outOfSpace has a disk run full under a card.
func outOfSpace(t *testing.T) {
	path := storedCard(t)
	if code := run(t, "full", path); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	card := must(virtual.Open(path))(t)
	defer card.Close()
	r := rigOn(t, card, virtual.Single(card))
	s := r.user()
	r.one(s, "first")
	for _, o := range r.find(s, object.AttrClass.Is(object.ClassData)) {
		must(object.Get(r.ctx, o, object.AttrValue))(t)
	}
	r.create(s, "there is room again", false)
}

// withoutPermission opens card files that are not the opener's to write, or to
// read.
func withoutPermission(t *testing.T) {
	path := storedCard(t)
	dir := filepath.Dir(path)
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o555); err != nil {
			t.Fatal(err)
		}
		defer os.Chmod(d, 0o755)
	}
	before := must(os.ReadFile(path))(t)
	for _, mode := range []fs.FileMode{0o000, 0o444} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		asNobody(func() {
			card, err := virtual.Open(path)
			switch {
			case mode == 0o444 && err == nil:
				onlyRead(t, card)
			case err == nil:
				card.Close()
				t.Errorf("mode %v: opened", mode)
			case mode == 0o444 || !errors.Is(err, fs.ErrPermission):
				t.Errorf("mode %v: %v", mode, err)
			}
			if card, err := virtual.Open(filepath.Join(dir, "new")); err == nil {
				card.Close()
				t.Error("a card is made where that is not allowed")
			} else if !errors.Is(err, fs.ErrPermission) {
				t.Errorf("a new card: %v", err)
			}
		})
	}
	if after := must(os.ReadFile(path))(t); !bytes.Equal(before, after) {
		t.Error("the file was changed")
	}
	if left := must(os.ReadDir(dir))(t); len(left) != 1 {
		t.Errorf("%d files are in the folder", len(left))
	}
}

// onlyRead uses a card whose file may not be written: what is public can be
// read, and all else is refused with a reason, a PIN without a try that counts.
func onlyRead(t *testing.T, card *virtual.Card) {
	defer card.Close()
	r := rigOn(t, card, virtual.Single(card))
	s := r.open(true)
	if got := r.labels(s); !slices.Equal(got, []string{"first"}) {
		t.Errorf("read-only, the card holds %q", got)
	}
	must(object.Get(r.ctx, r.one(s, "first"), object.AttrValue))(t)
	_, err := s.Create(r.ctx, data("second", false)...)
	r.code(err, ckr.DeviceError)
	for _, p := range []string{userPIN, wrongPIN} {
		r.code(s.Login(r.ctx, token.User, pin(p)), ckr.DeviceError)
	}
	r.ok(r.module.Close())
}

// asNobody runs f with the rights of nobody in particular, if the test itself
// has all; else what is closed is closed to the test, too.
func asNobody(f func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const nobody = 65534
	syscall.Setfsgid(nobody)
	syscall.Setfsuid(nobody)
	defer syscall.Setfsuid(os.Getuid())
	defer syscall.Setfsgid(os.Getgid())
	f()
}
