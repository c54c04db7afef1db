package cryptoki

import (
	"sync"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/pcsc"
)

// machine is the readers of the machine: one Provider for all that open them,
// so that they share connections and what is known of the cards. It costs
// nothing while it is not used.
var machine = sync.OnceValues(func() (apdu.Provider, error) { return pcsc.Open() })
