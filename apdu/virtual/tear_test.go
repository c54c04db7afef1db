package virtual_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
)

// torn prepares a card, tears one command after each number of writes until it
// is executed as a whole, and returns what the question answers each time.
func torn(t *testing.T, open func() *virtual.Card, prepare []string, command, question string) (answers []string) {
	t.Helper()
	for writes := 1; ; writes++ {
		card := open()
		p := virtual.Single(card)
		c := connect(t, p)
		for _, command := range prepare {
			ok(t, c, command)
		}
		card.SetFaults(virtual.Rules(virtual.At(1, virtual.Fault{Kind: virtual.Tear, Writes: writes})))
		answer, err := c.Transmit(t.Context(), unhex(t, strings.ReplaceAll(command, " ", "")))
		if err == nil {
			if string(answer[len(answer)-2:]) != "\x90\x00" {
				t.Fatalf("answer %X", answer)
			}
			return answers
		}
		if !errors.Is(err, apdu.ErrRemoved) || !errors.Is(err, apdu.ErrOutcomeUnknown) {
			t.Fatal(err)
		}
		if err := p.Insert(reader, card); err != nil {
			t.Fatalf("the card is not out: %v", err)
		}
		c = connect(t, p)
		var all []string
		for _, q := range strings.Split(question, ";") {
			all = append(all, send(t, c, q))
		}
		answers = append(answers, strings.Join(all, " "))
	}
}

func inMemory() *virtual.Card { return virtual.New() }

func TestTornUpdateLeavesItsFirstPages(t *testing.T) {
	got := torn(t, inMemory,
		[]string{"00E0000012 6210 80020084 820101 83025001 8603000000", "00D6000084" + strings.Repeat("11", 132)},
		"00D6000084"+strings.Repeat("22", 132),
		"00A4000C025001;00B0000084")
	page := func(b string, n int) string { return strings.Repeat(b, n) }
	want := []string{
		"9000 " + page("22", 64) + page("11", 68) + "9000",
		"9000 " + page("22", 128) + page("11", 4) + "9000",
		"9000 " + page("22", 132) + "9000", // the change counter is missing
		"9000 " + page("22", 132) + "9000",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTornGenerationLeavesThePrivateHalfAlone(t *testing.T) {
	got := torn(t, inMemory, []string{"00E000000D 620B 81020100 820122 83024B01"}, "00460000",
		"00A4000C024B01;00CA018600")
	if len(got) != 3 || got[0] != "9000 6A88" || len(got[1]) < 100 {
		t.Errorf("%q", got)
	}
	// The private half is there: nothing is generated over it.
	got = torn(t, inMemory, []string{"00E000000D 620B 81020100 820122 83024B01"}, "00460000",
		"00A4000C024B01;00460000")
	if got[0] != "9000 6984" {
		t.Errorf("%q", got)
	}
}

func TestTornVerifyCostsATry(t *testing.T) {
	prepare := []string{"00DA010113 31313131FFFFFFFF 3232323232323232 030A00", "004404000C A000000063504B43532D3135"}
	got := torn(t, inMemory, prepare, verifyPIN, "00200001")
	if diff := cmp.Diff([]string{"63C2", "63C3"}, got); diff != "" {
		t.Error(diff)
	}
	got = torn(t, inMemory, prepare, "0024000110 31313131FFFFFFFF 33333333FFFFFFFF", "00200001;"+verifyPIN)
	if diff := cmp.Diff([]string{"63C2 9000", "63C3 9000", "63C3 63C2"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestTornFormatCanBeRepeated(t *testing.T) {
	prepare := []string{
		"00A4040C0C A000000063504B43532D3135", "00E000000D 620B 80020010 820101 83025001", "00A4040C0C A000000063504B43532D3135", "00E000000D 620B 80020010 820101 83025002",
		"00DA010313 31313131FFFFFFFF 3232323232323232 030A00", "004404000C A000000063504B43532D3135", "0020000308 31313131FFFFFFFF",
	}
	got := torn(t, inMemory, prepare, "00DA01E002 FFFF", "0020000308 31313131FFFFFFFF;00DA01E002 FFFF")
	if len(got) != 3 {
		t.Errorf("%q", got)
	}
	for i, answer := range got {
		if !strings.HasSuffix(answer, " 9000") {
			t.Errorf("after %d writes: %s", i+1, answer)
		}
	}
}

// What a torn command has written outlives the process, too.
func TestTornWritesAreInTheFile(t *testing.T) {
	n := 0
	var last string
	open := func() *virtual.Card {
		n++
		last = filepath.Join(t.TempDir(), fmt.Sprint(n))
		card, err := virtual.Open(last)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { card.Close() })
		return card
	}
	card := open()
	c := connect(t, virtual.Single(card))
	ok(t, c, "00E000000D 620B 81020100 820122 83024B01")
	card.SetFaults(virtual.Rules(virtual.At(1, virtual.Fault{Kind: virtual.Tear, Writes: 1})))
	if _, err := c.Transmit(t.Context(), unhex(t, "00460000")); !errors.Is(err, apdu.ErrOutcomeUnknown) {
		t.Fatal(err)
	}
	card.Close()
	card, err := virtual.Open(last)
	if err != nil {
		t.Fatal(err)
	}
	defer card.Close()
	c = connect(t, virtual.Single(card))
	ok(t, c, "00A4000C024B01")
	if got := send(t, c, "00CA018600"); got != "6A88" {
		t.Errorf("the public half: %s", got)
	}
	if got := send(t, c, "00460000"); got != "6984" {
		t.Errorf("another key: %s", got)
	}
}
