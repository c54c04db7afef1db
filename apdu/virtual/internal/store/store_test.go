package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/record"
	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/store"
)

// sample is enough for trees with branches and records over several pages.
func sample() map[string][]byte {
	records := map[string][]byte{
		"card/head":    []byte("head"),
		"data/00000f0": bytes.Repeat([]byte{0xFF}, 20000),
		"pin/01":       {},
	}
	for i := range 60 {
		records[fmt.Sprintf("file/%08x", i)] = bytes.Repeat([]byte{byte(i)}, 200)
	}
	return records
}

func changes(records map[string][]byte) (out []record.Change) {
	for k, v := range records {
		out = append(out, record.Change{Key: k, Value: v})
	}
	return out
}

func create(t *testing.T, records map[string][]byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "card")
	f, err := store.Create(path, changes(records))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func records(t *testing.T, path string) map[string][]byte {
	t.Helper()
	f, err := store.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := f.Records()
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestRecordsAreKept(t *testing.T) {
	want := sample()
	path := create(t, want)
	if diff := cmp.Diff(want, records(t, path)); diff != "" {
		t.Error(diff)
	}
	f, err := store.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Commit([]record.Change{{Key: "card/head", Value: []byte("new")}, {Key: "pin/01"}, {Key: "pin/99"}, {Key: "none/x"}}); err != nil {
		t.Fatal(err)
	}
	f.Close()
	f.Close()
	want["card/head"] = []byte("new")
	delete(want, "pin/01")
	if diff := cmp.Diff(want, records(t, path)); diff != "" {
		t.Error(diff)
	}
}

func TestACommitIsAllOrNothing(t *testing.T) {
	want := sample()
	path := create(t, want)
	f, err := store.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Commit([]record.Change{{Key: "card/head", Value: []byte("new")}, {Key: "nofolder", Value: []byte("x")}}); err == nil {
		t.Error("a record without a folder was taken")
	}
	f.Close()
	if err := f.Commit([]record.Change{{Key: "card/head", Value: []byte("new")}}); err == nil {
		t.Error("a closed file was written")
	}
	if diff := cmp.Diff(want, records(t, path)); diff != "" {
		t.Error(diff)
	}
}

func TestOneOpenerAtATime(t *testing.T) {
	path := create(t, sample())
	f, err := store.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(path); !errors.Is(err, apdu.ErrInUse) {
		t.Errorf("second opener: %v, want %v", err, apdu.ErrInUse)
	}
	f.Close()
	records(t, path)
}

func TestCreateReplacesNothing(t *testing.T) {
	path := create(t, sample())
	if _, err := store.Create(path, nil); !errors.Is(err, fs.ErrExist) {
		t.Errorf("%v, want %v", err, fs.ErrExist)
	}
	records(t, path)
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("something is left behind: %v %v", entries, err)
	}
	info, err := os.Stat(path)
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if _, err := store.Create(filepath.Join(path, "below"), nil); err == nil {
		t.Error("created below a file")
	}
}

func TestOtherFilesAreRefusedAndLeftAlone(t *testing.T) {
	newer := func(t *testing.T, path string) {
		edit(t, path, func(tx *bbolt.Tx) error {
			// A later version, with its checksum over "virtual card" and the byte.
			return tx.Bucket([]byte("format")).Put([]byte("virtual card"), store.Seal("virtual card", []byte{3}))
		})
	}
	for _, tt := range []struct {
		name string
		make func(t *testing.T, path string)
		want error
	}{
		{"text", func(t *testing.T, path string) { write(t, path, bytes.Repeat([]byte("text "), 5000)) }, store.ErrForeign},
		{"short text", func(t *testing.T, path string) { write(t, path, []byte("text")) }, store.ErrForeign},
		{"empty", func(t *testing.T, path string) { write(t, path, nil) }, store.ErrDamaged},
		{"another database", func(t *testing.T, path string) {
			db, err := bbolt.Open(path, 0o600, nil)
			if err != nil {
				t.Fatal(err)
			}
			db.Close()
		}, store.ErrForeign},
		{"directory", func(t *testing.T, path string) { os.Mkdir(path, 0o700) }, store.ErrForeign},
		{"newer", func(t *testing.T, path string) { os.Rename(create(t, sample()), path); newer(t, path) }, store.ErrNewer},
		{"nothing", func(t *testing.T, path string) {}, fs.ErrNotExist},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "card")
			tt.make(t, path)
			before, _ := os.ReadFile(path)
			if _, err := store.Open(path); !errors.Is(err, tt.want) {
				t.Errorf("%v, want %v", err, tt.want)
			}
			if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
				t.Error("the file was changed")
			}
		})
	}
}

func TestSymbolicLinksAreRefused(t *testing.T) {
	path := create(t, sample())
	link := path + "-link"
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(link); !errors.Is(err, store.ErrForeign) {
		t.Errorf("%v, want %v", err, store.ErrForeign)
	}
	dangling := path + "-dangling"
	if err := os.Symlink(path+"-none", dangling); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Create(dangling, nil); !errors.Is(err, fs.ErrExist) {
		t.Errorf("create through a link: %v", err)
	}
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func edit(t *testing.T, path string, f func(*bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Update(f), db.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestDamageIsNoticed flips bits all over the file. Whatever is still opened
// must have all its records as they were, and can be written.
func TestDamageIsNoticed(t *testing.T) {
	want := sample()
	path := create(t, want)
	// Earlier states, to which no damage may lead back.
	commit(t, path, record.Change{Key: "card/head", Value: []byte("other")}, record.Change{Key: "pin/01", Value: []byte("other")})
	commit(t, path, record.Change{Key: "card/head", Value: want["card/head"]}, record.Change{Key: "pin/01", Value: want["pin/01"]})
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	damagedPath := path + "-damaged"
	opened, refused := 0, 0
	for at := 0; at < len(whole); at += step(at) {
		bad := bytes.Clone(whole)
		bad[at] ^= 1 << (at % 8)
		write(t, damagedPath, bad)
		if survives(t, damagedPath, want, at%50 == 0) {
			opened++
		} else {
			refused++
		}
	}
	for size := 0; size < len(whole); size += 1021 {
		write(t, damagedPath, whole[:size])
		survives(t, damagedPath, want, true)
	}
	if opened == 0 || refused == 0 {
		t.Errorf("%d opened, %d refused", opened, refused)
	}
}

func commit(t *testing.T, path string, changes ...record.Change) {
	t.Helper()
	f, err := store.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Commit(changes), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// step is small in the heads of pages, where the structure is.
func step(at int) int {
	if at%4096 < 64 {
		return 1
	}
	return 151
}

func survives(t *testing.T, path string, want map[string][]byte, commit bool) bool {
	t.Helper()
	f, err := store.Open(path)
	if err != nil {
		if !errors.Is(err, store.ErrDamaged) && !errors.Is(err, store.ErrForeign) && !errors.Is(err, store.ErrNewer) {
			t.Errorf("unexpected reason: %v", err)
		}
		return false
	}
	defer f.Close()
	got, err := f.Records()
	if err != nil || !maps.EqualFunc(got, want, bytes.Equal) {
		t.Errorf("damage went unnoticed: %v", err)
	}
	if commit {
		if err := f.Commit([]record.Change{{Key: "card/head", Value: []byte("after")}}); err != nil {
			t.Errorf("commit: %v", err)
		}
	}
	return true
}

// FuzzWalk damages a file behind the back of the checksums of its meta pages,
// as someone would who means harm.
func FuzzWalk(f *testing.F) {
	path := filepath.Join(f.TempDir(), "card")
	c, err := store.Create(path, changes(map[string][]byte{"card/head": []byte("head"), "pin/01": []byte("x")}))
	if err != nil {
		f.Fatal(err)
	}
	c.Close()
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	page := os.Getpagesize()
	for _, at := range []int{0, 16, 32, 48, 56, page, 2 * page, 2*page + 16, 3 * page, 3*page + 16} {
		f.Add(at, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	}
	f.Fuzz(func(t *testing.T, at int, bytes []byte) {
		raw := append([]byte(nil), whole...)
		if at < 0 || at >= len(raw) {
			return
		}
		copy(raw[at:], bytes)
		store.FixMeta(raw)
		store.Walk(raw)
	})
}

// TestWhatWasReplacedIsWiped: nothing of an earlier value is left in the file,
// wherever bbolt had put it.
func TestWhatWasReplacedIsWiped(t *testing.T) {
	records := sample()
	for i := range 40 {
		records[fmt.Sprintf("old/%02d", i)] = bytes.Repeat([]byte("secret of old"), 300)
	}
	path := create(t, records)
	f, err := store.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		key := fmt.Sprintf("old/%02d", i)
		c := record.Change{Key: key, Value: []byte("new")}
		if i%2 == 0 {
			c.Value = nil
		}
		if err := f.Commit([]record.Change{c}); err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if n, most := bytes.Count(raw, []byte("secret of old")), 300*(39-i); n > most {
			t.Fatalf("after %d changes: %d traces, want at most %d", i+1, n, most)
		}
	}
	f.Close()
}

// TestWipeCleansUpAfterTheKilled: a process that was killed between its commit
// and the wiping leaves what it replaced in free pages, and what it had begun
// to write beyond them.
func TestWipeCleansUpAfterTheKilled(t *testing.T) {
	want := sample()
	want["old/1"] = bytes.Repeat([]byte("secret of old"), 3000)
	path := create(t, want)
	delete(want, "old/1")
	var end int64
	edit(t, path, func(tx *bbolt.Tx) error { // bbolt alone wipes nothing
		end = tx.Size()
		return tx.Bucket([]byte("old")).Put([]byte("1"), store.Seal("old/1", []byte("new")))
	})
	raw, _ := os.OpenFile(path, os.O_RDWR, 0)
	raw.WriteAt([]byte("secret of old"), end+5000)
	raw.Close()
	before, err := os.ReadFile(path)
	if err != nil || !bytes.Contains(before, []byte("secret of old")) || !bytes.Contains(before[end:], []byte("secret of old")) {
		t.Fatal("the test's file does not hold what is to be wiped", err)
	}
	if f, err := store.Open(path); !errors.Is(err, store.ErrDamaged) {
		t.Fatalf("%v, %v: a value that the digest does not know was taken", f, err)
	}
	edit(t, path, func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("old")).Put([]byte("1"), store.Seal("old/1", bytes.Repeat([]byte("secret of old"), 3000)))
	})
	f, err := store.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Commit([]record.Change{{Key: "old/1"}}), f.Wipe(), f.Close()); err != nil {
		t.Fatal(err)
	}
	if after, _ := os.ReadFile(path); bytes.Contains(after, []byte("secret of old")) {
		t.Error("traces are left")
	}
	if diff := cmp.Diff(want, records(t, path)); diff != "" {
		t.Error(diff)
	}
}

// TestFilesOfVersion1AreReplacedAsAWhole: they can be read, not changed, and
// nothing of them stays.
func TestFilesOfVersion1AreReplacedAsAWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "card")
	old := bytes.Repeat([]byte("clear secret"), 1000)
	edit(t, path, func(tx *bbolt.Tx) error {
		mark, err1 := tx.CreateBucket([]byte("format"))
		pin, err2 := tx.CreateBucket([]byte("pin"))
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		return errors.Join(
			mark.Put([]byte("virtual card"), store.Seal("virtual card", []byte{1})),
			mark.Put([]byte("records"), store.Seal("records", []byte{0, 0, 0, 1})),
			pin.Put([]byte("01"), store.Seal("pin/01", old)),
		)
	})
	f, err := store.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	got, err := f.Records()
	if diff := cmp.Diff(map[string][]byte{"pin/01": old}, got); diff != "" || err != nil || f.Version() != 1 {
		t.Error(f.Version(), err, diff)
	}
	if err := f.Commit([]record.Change{{Key: "pin/01", Value: []byte("new")}}); err == nil {
		t.Error("an old file was changed")
	}
	if err := f.Replace([]record.Change{{Key: "card/head", Value: []byte("new")}}); err != nil || f.Version() != 2 {
		t.Error(f.Version(), err)
	}
	if err := errors.Join(f.Commit([]record.Change{{Key: "pin/01", Value: []byte("sealed")}}), f.Close()); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(map[string][]byte{"card/head": []byte("new"), "pin/01": []byte("sealed")}, records(t, path)); diff != "" {
		t.Error(diff)
	}
	if raw, _ := os.ReadFile(path); bytes.Contains(raw, []byte("clear secret")) {
		t.Error("traces are left")
	}
}

// TestOldRecordsDoNotPassForNewOnes: a record with a good checksum, from
// before.
func TestOldRecordsDoNotPassForNewOnes(t *testing.T) {
	path := create(t, sample())
	commit(t, path, record.Change{Key: "pin/01", Value: []byte("two tries left")})
	edit(t, path, func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("pin")).Put([]byte("01"), store.Seal("pin/01", []byte{}))
	})
	if _, err := store.Open(path); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("%v, want %v", err, store.ErrDamaged)
	}
}
