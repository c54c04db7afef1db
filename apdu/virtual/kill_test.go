package virtual_test

import (
	"bufio"
	"context"
	"encoding/hex"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/store"
)

var kills = flag.Int("kills", 60, "how many processes are killed that work on a card file")

// victim returns the card file of a process that is there to be killed.
func victim() string { return os.Getenv("VIRTUAL_VICTIM") }

// The codes that PIN 3 has in turn, and one that it never has.
var turns = [2]string{pin3, newCode}

const never = "neverPIN"

// die works on a card until it is killed, and says after each step what the
// card must remember: the files that it has, the tries that are left at PIN 3,
// how often that was changed. It goes on when it is told that this was heard,
// so that it is never further than one step beyond what it has said.
func die(path string) {
	say := func(words ...any) {
		fmt.Println(words...)
		os.Stdin.Read(make([]byte, 1))
	}
	say("open")
	card, err := virtual.Open(path, virtual.Cheap())
	if err != nil {
		say("error", err)
		return
	}
	if os.Getenv("VIRTUAL_TASK") == "open" {
		say("opened")
		return
	}
	c, err := virtual.Single(card).Connect(context.Background(), reader)
	if err != nil {
		say("error", err)
		return
	}
	send := func(command string) string {
		raw, _ := hex.DecodeString(command)
		answer, err := c.Transmit(context.Background(), raw)
		if err != nil {
			return err.Error()
		}
		return hex.EncodeToString(answer)
	}
	send("0020000108" + h(pin1))
	for n := 0; ; n++ {
		send("00A4000C025015")
		created := send(fmt.Sprintf("00E00000166214800200028201018302%04X8603111FFF85020000", 0x6000+n))
		written := send(fmt.Sprintf("00D6000002%04X", n))
		say("file", created, written)
		say("wrong", send("0020000308"+h(never)))
		if n%3 == 2 {
			k := n / 3
			say("change", send("0024000310"+h(turns[k%2])+h(turns[(k+1)%2])))
		}
	}
}

// told is what a process said of a card before it was killed.
type told struct {
	files, changes int
	tries          int // at PIN 3; -1: not known
}

// TestAKilledProcessLosesNothingAnswered kills processes that work on a card,
// at random moments, and looks whether the card remembers all that it has
// answered. It may remember the one step more that was not reported.
func TestAKilledProcessLosesNothingAnswered(t *testing.T) {
	template := filepath.Join(t.TempDir(), "card")
	card := open(t, template, virtual.Cheap())
	makeCard(t, connect(t, virtual.Single(card)))
	card.Close()
	whole, err := os.ReadFile(template)
	if err != nil {
		t.Fatal(err)
	}
	for n := range *kills {
		path := filepath.Join(t.TempDir(), "card")
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
		said := killAfter(t, "work", path, 1+rand.IntN(24))
		card := open(t, path, virtual.Cheap())
		remembers(t, connect(t, virtual.Single(card)), said)
		card.Close()
		hides(t, path, pin1, pin3, newCode, ecScalar, aesKey, content)
		if t.Failed() {
			t.Fatalf("at kill %d, after %+v", n, said)
		}
	}
}

// TestAKilledMigrationHasHappenedOrNot kills processes that open a file of
// version 1.
func TestAKilledMigrationHasHappenedOrNot(t *testing.T) {
	versions := make(map[int]int)
	for n := range (*kills + 3) / 4 {
		path := filepath.Join(t.TempDir(), "card")
		version1(t, path)
		killAfter(t, "open", path, 1)
		f, err := store.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		versions[f.Version()]++
		f.Close()
		card := open(t, path, virtual.Cheap())
		worksAsVersion1(t, connect(t, virtual.Single(card)))
		card.Close()
		hides(t, path, secrets1...)
		if t.Failed() {
			t.Fatalf("at kill %d", n)
		}
	}
	t.Logf("files left by version: %v", versions)
}

// remembers checks a card against what was said of it.
func remembers(t *testing.T, c apdu.Transport, said told) {
	t.Helper()
	tries := said.tries
	if left := unhex(t, ok(t, c, "00CA01B300"))[0]; tries >= 0 && int(left) != tries && int(left) != tries-1 && left != 5 {
		t.Errorf("%d tries left at PIN 3, it had %d", left, tries)
	}
	ok(t, c, "0020000108"+h(pin1))
	uses(t, c)
	for n := range said.files {
		ok(t, c, fmt.Sprintf("00A40800045015%04X", 0x6000+n))
		if got, want := ok(t, c, "00B0000002"), fmt.Sprintf("%04X", n); got != want {
			t.Errorf("file %d: %s, want %s", n, got, want)
		}
	}
	if send(t, c, "0020000308"+h(turns[said.changes%2])) != "9000" {
		ok(t, c, "0020000308"+h(turns[(said.changes+1)%2]))
	}
}

// killAfter starts a process, kills it at some moment after it has said so
// many things, and returns what they were.
func killAfter(t *testing.T, task, path string, lines int) told {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), "VIRTUAL_VICTIM="+path, "VIRTUAL_TASK="+task)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	heard, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	said := told{tries: -1}
	scan := bufio.NewScanner(out)
	for range lines {
		if !scan.Scan() {
			t.Fatal("the process ended by itself")
		}
		said.take(t, strings.Fields(scan.Text()))
		heard.Write([]byte{1})
	}
	time.Sleep(rand.N(12 * time.Millisecond)) // a random moment, not a wait for anything
	return said
}

func (s *told) take(t *testing.T, words []string) {
	t.Helper()
	switch {
	case words[0] == "open":
	case words[0] == "file" && words[1] == "9000" && words[2] == "9000":
		s.files++
	case words[0] == "wrong" && strings.HasPrefix(words[1], "63c"):
		fmt.Sscanf(words[1], "63c%x", &s.tries)
	case words[0] == "change" && words[1] == "9000":
		s.changes++
		s.tries = 5
	default:
		t.Fatal(words)
	}
}
