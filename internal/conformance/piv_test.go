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
		Another: func(t *testing.T) *token.Token {
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
