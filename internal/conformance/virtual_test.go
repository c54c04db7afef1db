package conformance_test

import (
	"testing"

	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/internal/conformance"
)

func TestVirtualCardInProcess(t *testing.T) {
	for name, persona := range map[string]virtual.Persona{"MyEID": virtual.MyEID500(), "OsEID": virtual.OsEID452()} {
		t.Run(name, func(t *testing.T) {
			conformance.Run(t, func(t *testing.T) conformance.Fixture {
				return conformance.Virtual(t, virtual.Single(virtual.New(virtual.As(persona))), "Virtual 00")
			})
		})
	}
}
