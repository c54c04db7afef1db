package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/go-cryptoki/cryptoki"
)

// cards is an agent.ExtendedAgent that signs with keys of cards, and refuses
// to add, remove or lock anything.
type cards struct{ signers []ssh.AlgorithmSigner }

var errReadOnly = errors.New("the keys are those of cards; they are neither added nor removed here")

// load takes all keys that a URI fits. A type of key that ssh does not have is
// left out.
func load(ctx context.Context, m *cryptoki.Module, uri string) (*cards, error) {
	a := &cards{}
	for key, err := range m.Keys(ctx, uri) {
		if err != nil {
			return nil, err
		}
		signer, err := ssh.NewSignerFromSigner(key)
		if err != nil {
			continue
		}
		if s, ok := signer.(ssh.AlgorithmSigner); ok {
			a.signers = append(a.signers, s)
		}
	}
	return a, nil
}

func (a *cards) List() ([]*agent.Key, error) {
	var keys []*agent.Key
	for _, s := range a.signers {
		pub := s.PublicKey()
		keys = append(keys, &agent.Key{Format: pub.Type(), Blob: pub.Marshal(), Comment: "card " + ssh.FingerprintSHA256(pub)[7:15]})
	}
	return keys, nil
}

func (a *cards) Sign(key ssh.PublicKey, data []byte) (*ssh.Signature, error) {
	return a.SignWithFlags(key, data, 0)
}

// SignWithFlags signs; the flags choose the hash for RSA.
func (a *cards) SignWithFlags(key ssh.PublicKey, data []byte, flags agent.SignatureFlags) (*ssh.Signature, error) {
	for _, s := range a.signers {
		if string(s.PublicKey().Marshal()) != string(key.Marshal()) {
			continue
		}
		algorithm := ""
		if key.Type() == ssh.KeyAlgoRSA {
			switch {
			case flags&agent.SignatureFlagRsaSha512 != 0:
				algorithm = ssh.KeyAlgoRSASHA512
			case flags&agent.SignatureFlagRsaSha256 != 0:
				algorithm = ssh.KeyAlgoRSASHA256
			}
		}
		return s.SignWithAlgorithm(rand.Reader, data, algorithm)
	}
	return nil, fmt.Errorf("no card has the key %s", ssh.FingerprintSHA256(key))
}

func (a *cards) Signers() ([]ssh.Signer, error) {
	var list []ssh.Signer
	for _, s := range a.signers {
		list = append(list, s)
	}
	return list, nil
}

func (a *cards) Extension(string, []byte) ([]byte, error) { return nil, agent.ErrExtensionUnsupported }
func (a *cards) Add(agent.AddedKey) error                 { return errReadOnly }
func (a *cards) Remove(ssh.PublicKey) error               { return errReadOnly }
func (a *cards) RemoveAll() error                         { return errReadOnly }
func (a *cards) Lock([]byte) error                        { return errReadOnly }
func (a *cards) Unlock([]byte) error                      { return errReadOnly }
