package virtual_test

import (
	"bufio"
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-cryptoki/cryptoki/apdu/virtual"
)

// victim returns the card file of a process that is there to be killed.
func victim() string { return os.Getenv("VIRTUAL_VICTIM") }

// die works on a card until it is killed, and says after each answer what
// the card must remember: the tries left, the counter, the last file. It goes
// on when it is told that this was heard, so that it is never further than one
// step beyond what it has said.
func die(path string) {
	card, err := virtual.Open(path)
	if err != nil {
		fmt.Println("error", err)
		return
	}
	p := virtual.Single(card)
	c, err := p.Connect(context.Background(), reader)
	if err != nil {
		fmt.Println("error", err)
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
	say := func(words ...any) {
		fmt.Println(words...)
		os.Stdin.Read(make([]byte, 1))
	}
	for n := 0; ; n++ {
		send("00A4000C023F00")
		created := send(fmt.Sprintf("00E000000D620B800200208201018302%04X", 0x4000+n))
		written := send(fmt.Sprintf("00D6000002%04X", n))
		say("file", n, created, written)
		say("wrong", send("00200002083939393939393939"))
		if n%5 == 4 {
			say("right", send("0020000208"+"31313131FFFFFFFF"))
			say("change", send("0024000210"+"31313131FFFFFFFF"+"31313131FFFFFFFF"))
		}
	}
}

// TestAKilledProcessLosesNothingAnswered kills a process that works on a card
// after it has reported more and more, and looks whether the card remembers
// all of it. It may remember the one command more that was not reported.
func TestAKilledProcessLosesNothingAnswered(t *testing.T) {
	for _, lines := range []int{1, 2, 3, 5, 8, 13, 21, 34, 55} {
		path := filepath.Join(t.TempDir(), "card")
		card := open(t, path)
		c := connect(t, virtual.Single(card))
		ok(t, c, "00DA010213 31313131FFFFFFFF 3232323232323232 0F0A00")
		card.Close()

		files, tries := killAfter(t, path, lines)
		c = connect(t, virtual.Single(open(t, path)))
		for n := range files {
			ok(t, c, fmt.Sprintf("00A4000C02%04X", 0x4000+n))
			if got, want := ok(t, c, "00B0000002"), fmt.Sprintf("%04X", n); got != want {
				t.Errorf("after %d lines, file %d: %s, want %s", lines, n, got, want)
			}
		}
		if left := unhex(t, ok(t, c, "00CA01B200"))[0]; tries > 0 && int(left) != tries && int(left) != tries-1 && left != 15 {
			t.Errorf("after %d lines: %d tries left, last answer said %d", lines, left, tries)
		}
	}
}

// killAfter returns how many files were reported and how many tries were left
// in the last report.
func killAfter(t *testing.T, path string, lines int) (files, tries int) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), "VIRTUAL_VICTIM="+path)
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
	scan := bufio.NewScanner(out)
	for range lines {
		if !scan.Scan() {
			t.Fatal("the process ended by itself")
		}
		heard.Write([]byte{1})
		words := strings.Fields(scan.Text())
		switch words[0] {
		case "file":
			if words[2] != "9000" || words[3] != "9000" {
				t.Fatal(scan.Text())
			}
			files++
		case "wrong":
			fmt.Sscanf(words[1], "63c%x", &tries)
		case "right", "change":
			if words[1] != "9000" {
				t.Fatal(scan.Text())
			}
			tries = 15
		default:
			t.Fatal(scan.Text())
		}
	}
	return files, tries
}
