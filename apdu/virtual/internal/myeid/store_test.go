package myeid_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/myeid"
	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/record"
	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/seal"
)

// memory is a Store that can be told to fail.
type memory struct {
	records map[string][]byte
	commits int
	fail    bool
	lost    bool
}

func (m *memory) Commit(changes []record.Change) error {
	m.commits++
	if m.fail {
		return errors.New("disk full")
	}
	for _, c := range changes {
		if c.Value == nil {
			delete(m.records, c.Key)
		} else {
			m.records[c.Key] = slices.Clone(c.Value)
		}
	}
	return nil
}

func (m *memory) Records() (map[string][]byte, error) {
	if m.lost {
		return nil, errors.New("disk gone")
	}
	out := make(map[string][]byte)
	for k, v := range m.records {
		out[k] = slices.Clone(v)
	}
	return out, nil
}

// kit makes locks that are quickly opened.
func kit() seal.Kit { return seal.Kit{Cost: seal.Cost{Time: 1, Memory: 32, Threads: 1}} }

func kept(t *testing.T) (tester, *memory) {
	t.Helper()
	m := &memory{records: map[string][]byte{}}
	card, err := myeid.Create(persona(), m, kit())
	if err != nil {
		t.Fatal(err)
	}
	return tester{t, card}, m
}

// fill makes files, keys and PINs of every kind.
func (c tester) fill() {
	c.Helper()
	c.ok("00DA010113" + userPIN + userPUK + "030A14")
	c.ok("00DA010317" + soPIN + soPIN + "050A2000000608")
	c.create("01", "2F00", "0020", "013FFF", "0000")
	c.ok("00D6000003112233")
	c.ok("00A4000C025015")
	c.create("38", "6000", "0100", "123FFF", "0000")
	c.create("01", "6001", "0001", "123FFF", "0000")
	c.ok("00A4000C025015")
	c.create("11", "4B01", "0400", "000000", "1000")
	c.ok("00460000")
	c.create("22", "4B02", "0209", "000000", "0000")
	c.ok("00460000")
	c.create("29", "4D01", "0100", "000000", "0008")
	c.ok("00DA01A0" + lv(key32))
	c.create("11", "4B03", "0800", "000000", "0000")
	c.ok("00DA01810301 0001") // half a key
	c.create("01", "4401", "0001", "000000", "0000")
	c.create("41", "4D02", "0100", "000000", "0009")
	c.ok("00440400" + lv("A000000063504B43532D3135"))
	c.sw("0020000108"+wrongPIN, "63C2")
}

// look asks for everything that can be seen of a card.
func (c tester) look() string {
	c.Helper()
	var b strings.Builder
	for _, command := range []string{
		"00A4000000", "00CA01A000", "00CA01AA00", "00CA01A100", "00CA01B100", "00CA01B200", "00CA01B300",
		"00A40000022F0000", "00B0000000", "00A4000002501500", "00CA01A100", "00A4080006501560006001 00", "00B0000000",
		"00A40800045015440100", "00A408000450154B0100", "00CA010000", "00CA010100", "00A408000450154B0200", "00CA018600",
		"00A408000450154B0300", "00CA010000", "00A408000450154D0200",
		"00A408000450154D0100", "002281B807 800100 81024D01", "002A848010" + key16 + "00",
		"00200001", "00200003",
	} {
		data, sw := c.send(command)
		fmt.Fprintln(&b, command, data, sw)
	}
	return b.String()
}

func TestAStoredCardIsTheSameAfterwards(t *testing.T) {
	c, m := kept(t)
	c.fill()
	c.card.Reset()
	want := c.look()
	card, err := myeid.Load(m, kit())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, tester{t, card}.look()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(c.card.Persona(), card.Persona()); diff != "" {
		t.Error(diff)
	}
}

func TestDeletedAndWipedRecordsAreGone(t *testing.T) {
	c, m := kept(t)
	fresh := len(m.records)
	c.ok("00A4000C025015")
	before := slices.Sorted(maps.Keys(m.records))
	c.create("38", "6000", "0100", "000000", "0000")
	c.create("29", "4D01", "0100", "000000", "0008")
	c.ok("00DA01A0" + lv(key32))
	c.create("01", "4401", "0010", "000000", "0000")
	c.ok("00A4030C")
	c.ok("00E40000")
	if diff := cmp.Diff(before, slices.Sorted(maps.Keys(m.records))); diff != "" {
		t.Error(diff)
	}
	c.fill()
	c.ok("0020000308" + soPIN)
	c.ok("00DA01E008FFFF113FFF111FFF")
	if len(m.records) != fresh {
		t.Errorf("%d records after wiping, %d on a fresh card", len(m.records), fresh)
	}
	if _, err := myeid.Load(m, kit()); err != nil {
		t.Error(err)
	}
}

// TestATryIsSpentBeforeItIsCompared: a card that is cut off between the two
// must have lost the try.
func TestATryIsSpentBeforeItIsCompared(t *testing.T) {
	c, m := kept(t)
	c.fill()
	m.commits = 0
	c.ok("0020000108" + userPIN)
	if m.commits != 2 {
		t.Errorf("a right PIN makes %d commits, want 2: try spent, tries back", m.commits)
	}
	c.sw("0020000108"+wrongPIN, "63C2")
	m.fail = true
	c.sw("0020000108"+userPIN, "6581")
	m.fail = false
	c.sw("00200001", "63C2")
}

func TestReadingCommitsNothing(t *testing.T) {
	c, m := kept(t)
	c.fill()
	m.commits = 0
	c.look()
	c.ok("002241B60A80010481024B02840100")
	c.sw("00D6000001AA", "6985")
	if m.commits != 0 {
		t.Errorf("%d commits", m.commits)
	}
}

func TestAWriteThatCannotBeKeptHasNotHappened(t *testing.T) {
	c, m := kept(t)
	c.fill()
	c.card.Reset()
	want := c.look()
	c.verifyUser()
	for _, command := range []string{
		"00DA010113" + userPIN + userPUK + "030A14",
		"00E000000D620B 80020010 820101 83024499",
		"0024000110" + userPIN + newPIN,
		"002C000110" + userPUK + newPIN,
	} {
		m.fail = true
		_, sw := c.send(command)
		m.fail = false
		if sw != "6581" && sw != "6982" {
			t.Errorf("%s: %s", command, sw)
		}
	}
	c.sw("0020000108"+userPIN, "9000") // still the PIN
	c.sw("0020000108"+wrongPIN, "63C2")
	c.card.Reset()
	if diff := cmp.Diff(want, c.look()); diff != "" {
		t.Error(diff)
	}
}

func TestACardWithoutItsStoreGivesUp(t *testing.T) {
	c, m := kept(t)
	c.fill()
	m.fail, m.lost = true, true
	c.sw("0020000108"+userPIN, "6581")
	m.fail, m.lost = false, false
	c.sw("00A4000000", "6581")
}

func TestDamagedRecordsAreRefused(t *testing.T) {
	c, m := kept(t)
	c.fill()
	for key := range m.records {
		t.Run(key, func(t *testing.T) {
			for _, bad := range [][]byte{nil, {}, []byte("{"), []byte("[]"), []byte("null"), []byte("{}")} {
				broken := &memory{records: maps.Clone(m.records)}
				broken.records[key] = bad
				if bad == nil {
					delete(broken.records, key)
				}
				card, err := myeid.Load(broken, kit())
				if err == nil {
					tester{t, card}.look() // whatever it is, it does not panic
				}
			}
		})
	}
	broken := &memory{records: maps.Clone(m.records)}
	delete(broken.records, "card/head")
	if _, err := myeid.Load(broken, kit()); err == nil {
		t.Error("loaded without a head")
	}
}

func FuzzLoad(f *testing.F) {
	m := &memory{records: map[string][]byte{}}
	if _, err := myeid.Create(persona(), m, kit()); err != nil {
		f.Fatal(err)
	}
	f.Add(m.records["card/head"], m.records["file/00000001"], m.records["file/00000002"], []byte("x"))
	f.Fuzz(func(t *testing.T, head, root, app, key []byte) {
		card, err := myeid.Load(&memory{records: map[string][]byte{
			"card/head": head, "file/00000001": root, "file/00000002": app, "key/00000002": key, "data/00000002": key, "pin/00000001": key,
		}}, kit())
		if err != nil {
			return
		}
		for _, command := range []string{"00A4000000", "00CA01A100", "00A4000002501500", "00CA010000", "00B0000000", "00CA018100", "00200001", "00DA01E00200"} {
			raw, _ := hex.DecodeString(command)
			if answer := card.Process(raw); len(answer) < 2 {
				t.Fatalf("%s: %X", command, answer)
			}
		}
	})
}
