package piv

import (
	"context"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/ckr"
)

// IsAttestationID reports whether a CKA_ID is that of the attestation of a key:
// F9, the reference of the key that signs it, and the CKA_ID of the key's slot.
// CKA_CERTIFICATE_CATEGORY of an attestation is "other entity".
func IsAttestationID(id []byte) bool { return len(id) == 2 && id[0] == refAttestation }

// attestable tells whether the card attests that a key was generated on it.
func (a *app) attestable(ctx context.Context, s *slot) (bool, error) {
	if s.ref == refAttestation {
		return false, nil
	}
	if err := a.look(ctx, s); err != nil || !s.present {
		return false, err
	}
	if a.hasMetadata() || s.generated {
		return s.generated, nil
	}
	_, err := a.attestation(ctx, s)
	if refused(err) {
		return false, nil
	}
	return err == nil, err
}

// attestation is a certificate of the card for one of its keys (Yubico's
// ATTEST).
func (a *app) attestation(ctx context.Context, s *slot) ([]byte, error) {
	der, err := a.do(ctx, apdu.Command{INS: insAttest, P1: s.ref, Le: whole})
	if refused(err) {
		return nil, ckr.New(ckr.ObjectHandleInvalid, s.String(), err)
	}
	if err != nil {
		return nil, err
	}
	return der, nil
}
