package manager

import (
	"encoding/hex"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestCommands(t *testing.T) {
	app := New([3]byte{5, 7, 1}, 0x00BC614E)
	for _, row := range []struct{ name, command, want string }{
		{"select", "00a4040008a000000527471117", hex.EncodeToString([]byte("Virtual mgr - FW version 5.7.1")) + "9000"},
		{"select, by its beginning", "00a4040007a000000527471100", hex.EncodeToString([]byte("Virtual mgr - FW version 5.7.1")) + "9000"},
		{"select another of the maker's", "00a4040007a0000005272001", "6a82"},
		{"select no name", "00a4040000", "6a82"},
		{"select the next", "00a4040208a000000527471117", "6a86"},
		{"configuration", "001d000000", "19" + "01020010" + "020400bc614e" + "03020010" + "040101" + "0503050701" + "0a0100" + "9000"},
		{"configuration, of another page", "001d010000", "6a86"},
		{"configuration, a part", "001d000001", "6c1a"},
		{"writing", "001c000003020000", "6d00"},
		{"another class", "801d000000", "6e00"},
		{"half a command", "001d00", "6700"},
	} {
		command, err := hex.DecodeString(row.command)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(row.want, hex.EncodeToString(app.Process(command))); diff != "" {
			t.Errorf("%s: %s", row.name, diff)
		}
	}
}
