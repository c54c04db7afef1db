package apdu

import "testing"

// FuzzCapabilities reads what a card says of itself, in its historical bytes
// and in EF.ATR/INFO: no lengths below zero, and no panic.
func FuzzCapabilities(f *testing.F) {
	f.Add(unhex("8073C021C0"), unhex("7F660802020400020203E8"))
	f.Add(unhex("00"), unhex("7F66"))
	f.Add([]byte{}, unhex("7F6684FFFFFFFF"))
	f.Fuzz(func(t *testing.T, historical, efATR []byte) {
		caps, err := CapabilitiesOf(historical).WithLengths(efATR)
		if err == nil && (caps.MaxCommand < 0 || caps.MaxResponse < 0) {
			t.Errorf("%+v", caps)
		}
	})
}
