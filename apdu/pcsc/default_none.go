//go:build !cgo && (darwin || (pcsclite && !windows))

package pcsc

import (
	"fmt"

	"github.com/go-cryptoki/cryptoki/apdu"
)

func defaultService() (service, error) {
	return nil, fmt.Errorf("%w: this program was built without cgo, which PC/SC needs here", apdu.ErrNoService)
}
