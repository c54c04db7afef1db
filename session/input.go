package session

import (
	"context"
	"hash"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/engine"
	"github.com/go-cryptoki/cryptoki/mechanism"
)

// maxBuffered bounds the data of a multi-part operation whose mechanism needs
// all of it at once.
const maxBuffered = 1 << 24

// input collects the data of a signature or a verification: it goes into the
// hash where the mechanism hashes first, or into the message authentication code
// where that is computed in parts; else it is kept.
type input struct {
	m    mechanism.Mechanism // as it takes the collected input
	hash hash.Hash           // nil: data is kept
	mac  *engine.MAC         // hash, if it is that
	data []byte
}

func (s *Session) newInput(ctx context.Context, op string, g engine.Grant, m mechanism.Mechanism) (input, error) {
	if h, prepared := mechanism.Prehash(m); h != 0 {
		return input{m: prepared, hash: h.New()}, nil
	}
	mac, err := s.handle.NewMAC(ctx, engine.Use{Grant: g, Op: op}, m)
	if mac == nil {
		return input{m: m}, err
	}
	return input{m: m, hash: mac, mac: mac}, err
}

func (in *input) write(op string, p []byte) error {
	if in.hash != nil {
		in.hash.Write(p)
		return nil
	}
	if len(p) > maxBuffered-len(in.data) {
		return ckr.Newf(ckr.DataLenRange, op, "more than %d bytes", maxBuffered)
	}
	in.data = append(in.data, p...)
	return nil
}

func (in *input) sum() []byte {
	if in.hash != nil {
		return in.hash.Sum(nil)
	}
	return in.data
}

func (in *input) clear() {
	clear(in.data)
	in.data, in.hash, in.mac = nil, nil, nil
}
