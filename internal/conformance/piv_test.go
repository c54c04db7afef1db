package conformance

import (
	"testing"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/token"
)

// What PIV cannot do is answered by the standard's codes, and what it can do is
// done as everywhere.
func TestPIV(t *testing.T) {
	for name, p := range map[string]virtual.PIVPersona{"nist": virtual.NISTPIV(), "yubikey": virtual.YubiKey57()} {
		t.Run(name, func(t *testing.T) {
			Run(t, func(t *testing.T) Fixture { return pivFixture(t, p) })
		})
	}
}

// The ways that PIV cards have in the field change nothing of it.
func TestPIVWithQuirks(t *testing.T) {
	quirks := map[string]virtual.PIVQuirks{
		"old counters":      {OldCounters: true},
		"blind status":      {BlindStatus: true},
		"costly status":     {CountsStatus: true},
		"reselection drops": {ReselectDrops: true},
		"no more bytes":     {NoMoreBytes: true},
		"old and costly":    {OldCounters: true, CountsStatus: true},
		"all at once":       {OldCounters: true, BlindStatus: true, CountsStatus: true, ReselectDrops: true, NoMoreBytes: true},
	}
	for name, q := range quirks {
		for kind, p := range map[string]virtual.PIVPersona{"nist": virtual.NISTPIV(), "yubikey": virtual.YubiKey57()} {
			p.Quirks = q
			if q.NoMoreBytes {
				p.Extended = true // or long answers are lost for good
			}
			t.Run(kind+"/"+name, func(t *testing.T) {
				Run(t, func(t *testing.T) Fixture { return pivFixture(t, p) })
			})
		}
	}
	short := virtual.YubiKey57()
	short.Extended = false // its historical bytes say otherwise
	t.Run("yubikey/no extended lengths", func(t *testing.T) {
		Run(t, func(t *testing.T) Fixture { return pivFixture(t, short) })
	})
}

const managementKey = "010203040506070801020304050607080102030405060708"

func pivFixture(t *testing.T, p virtual.PIVPersona) Fixture {
	t.Helper()
	m, err := cryptoki.Open(t.Context(), cryptoki.WithProvider(virtual.Single(virtual.New(virtual.WithPIV(p)))))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return Fixture{
		Token: TokenIn(t, m, "Virtual 00"),
		Another: func(t *testing.T) token.Token {
			other, err := m.Application(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { other.Close() })
			return TokenIn(t, other, "Virtual 00")
		},
		SOPIN:   managementKey,
		UserPIN: virtual.DefaultPIVPIN, OtherPIN: "654321",
		OwnNames: true, Ask: token.StaticPIN([]byte(managementKey)),
	}
}
