package virtual

import "github.com/go-cryptoki/cryptoki/apdu/virtual/internal/seal"

// Cheap has a card in a file make locks that are quickly opened.
func Cheap() Option {
	return func(o *options) { o.kit.Cost = seal.Cost{Time: 1, Memory: 32, Threads: 1} }
}

// CountDerivations adds up how often a code is derived.
func CountDerivations(n *int) Option {
	return func(o *options) { o.kit.Derived = func() { *n++ } }
}
