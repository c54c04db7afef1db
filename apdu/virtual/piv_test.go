package virtual_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/internal/pivimage"
)

const (
	selectPIV = "00A4040005A00000030800"
	selectP15 = "00A404000CA000000063504B43532D313500"
	verifyPIV = "0020008008313233343536FFFF"
	statusPIV = "00200080"

	imagesGlob = "testdata/piv/*.json.gz"
)

// image reads one of the images.
func image(t testing.TB, file string) virtual.PIVImage {
	t.Helper()
	i, err := pivimage.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func TestApplicationsShareACard(t *testing.T) {
	card := virtual.New(virtual.As(virtual.MyEID500()), virtual.WithPIV(virtual.NISTPIV()))
	c := connect(t, virtual.Single(card))
	if got := ok(t, c, "00CA01A014"); !strings.HasPrefix(got, strings.ToUpper(hex.EncodeToString([]byte("OsEID")))) {
		t.Errorf("the first application is not selected: %s", got)
	}
	if got := send(t, c, statusPIV); got == "9000" || got == "63C5" {
		t.Errorf("PIV answers unselected: %s", got)
	}
	ok(t, c, selectPIV)
	ok(t, c, verifyPIV)
	if got := send(t, c, "00A4040005F000000001"); got != "6A82" {
		t.Errorf("unknown application: %s", got)
	}
	ok(t, c, statusPIV) // nothing has changed
	ok(t, c, selectP15)
	ok(t, c, "00CA01A014")
	ok(t, c, selectPIV)
	if got := send(t, c, statusPIV); got != "63C5" {
		t.Errorf("the PIN outlived another application's selection: %s", got)
	}
}

func TestPIVCardsAreKeptInFiles(t *testing.T) {
	for name, opts := range map[string][]virtual.Option{
		"alone": {virtual.WithPIV(virtual.YubiKey57())},
		"both":  {virtual.As(virtual.MyEID500()), virtual.WithPIV(virtual.NISTPIV())},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "card")
			card, err := virtual.Open(path, opts...)
			if err != nil {
				t.Fatal(err)
			}
			c := connect(t, virtual.Single(card))
			ok(t, c, selectPIV)
			left := send(t, c, "0020008008393939393939FFFF")
			card.Close()
			card, err = virtual.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer card.Close()
			c = connect(t, virtual.Single(card))
			ok(t, c, selectPIV)
			if got := send(t, c, statusPIV); got != left {
				t.Errorf("tries: %s, before %s", got, left)
			}
			if name == "both" {
				ok(t, c, selectP15)
			}
		})
	}
}

func TestExtendedLengthsGoToCardsThatTakeThem(t *testing.T) {
	for name, p := range map[string]virtual.PIVPersona{"nist": virtual.NISTPIV(), "yubikey": virtual.YubiKey57()} {
		c := connect(t, virtual.Single(virtual.New(virtual.WithPIV(p))))
		info := c.Info()
		if (info.MaxCommand > 261) != p.Extended {
			t.Errorf("%s: %d bytes", name, info.MaxCommand)
		}
		atr, err := apdu.ParseATR(info.ATR)
		if err != nil {
			t.Errorf("%s: ATR %X: %v", name, info.ATR, err)
		}
		if caps := apdu.CapabilitiesOf(atr.Historical); !caps.Known || !caps.Chaining || caps.Extended != p.Extended {
			t.Errorf("%s: %+v", name, caps)
		}
	}
}

// Every image can be put on a card, and every object of it is answered as it
// stands in the image.
func TestImagesAreReadBack(t *testing.T) {
	files, err := filepath.Glob(imagesGlob)
	if err != nil || len(files) != 28 {
		t.Fatalf("%d images, %v", len(files), err)
	}
	for _, file := range files {
		i := image(t, file)
		conn, err := apdu.Dial(t.Context(), virtual.Single(virtual.New(virtual.WithPIVImage(i))), reader)
		if err != nil {
			t.Fatal(err)
		}
		err = conn.Exclusive(t.Context(), unhex(t, "A00000030800001000"), func(ctx context.Context, tx *apdu.Tx) error {
			if _, err := tx.Do(ctx, apdu.Command{INS: 0x20, P2: 0x80, Data: []byte("123456\xFF\xFF")}); err != nil {
				return err
			}
			for tag, want := range i.Objects {
				list := []byte{0x5C, 3, byte(tag >> 16), byte(tag >> 8), byte(tag)}
				if tag < 0x100 {
					list = []byte{0x5C, 1, byte(tag)}
				}
				got, err := tx.Do(ctx, apdu.Command{INS: 0xCB, P1: 0x3F, P2: 0xFF, Data: list, Le: 256})
				if len(want) <= 2 {
					if err == nil {
						return fmt.Errorf("%X: an empty object is answered", tag)
					}
					continue
				}
				if err != nil || !bytes.Equal(got, want) {
					return fmt.Errorf("%X: %d bytes of %d: %w", tag, len(got), len(want), err)
				}
			}
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", i.Name, err)
		}
		conn.Close()
	}
}

func ExampleWithPIV() {
	card := virtual.New(virtual.WithPIV(virtual.YubiKey57()))
	t, err := virtual.Single(card).Connect(context.Background(), "Virtual 00")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer t.Close()
	answer, err := t.Transmit(context.Background(), []byte{0x00, 0xFD, 0x00, 0x00, 0x00}) // GET VERSION
	fmt.Printf("%X %v\n", answer, err)
	// Output: 0507019000 <nil>
}

// What the device is asked first by Yubico's programs and GnuPG.
func TestYubiKeyTellsWhatItIs(t *testing.T) {
	p := virtual.YubiKey57()
	p.Serial = 12345678
	c := connect(t, virtual.Single(virtual.New(virtual.WithPIV(p))))
	ok(t, c, verifyPIV)
	if got := send(t, c, "00A4040005F000000001"); got != "6A82" {
		t.Errorf("an application that there is not: %s", got)
	}
	ok(t, c, statusPIV)
	ok(t, c, "00A4040008A00000052747111700")
	if got := ok(t, c, "001D000000"); !strings.Contains(got, "020400BC614E") || !strings.Contains(got, "0503050701") {
		t.Errorf("serial number and version are not in %s", got)
	}
	if got := send(t, c, statusPIV); got != "6D00" {
		t.Errorf("PIV answers unselected: %s", got)
	}
	ok(t, c, selectPIV)
	if got := send(t, c, statusPIV); got != "63C3" {
		t.Errorf("after another application was selected the PIN is still verified: %s", got)
	}
}
