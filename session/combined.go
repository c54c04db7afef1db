package session

import (
	"context"
	"io"
)

// The combined operations of PKCS #11 v3.2 §5.17 run two operations over the
// same data in one call. In Go any two can be combined; these are the four of
// the standard. Errors: those of the two operations, of which one that fails
// ends as it does alone.

// DigestEncrypt adds a part to a digest and encrypts it
// (C_DigestEncryptUpdate).
func DigestEncrypt(ctx context.Context, d *DigestOp, e *EncryptOp, part []byte) ([]byte, error) {
	return thenEncrypt(ctx, d, e, part)
}

// SignEncrypt adds a part to a signature and encrypts it
// (C_SignEncryptUpdate).
func SignEncrypt(ctx context.Context, s *SignOp, e *EncryptOp, part []byte) ([]byte, error) {
	return thenEncrypt(ctx, s, e, part)
}

func thenEncrypt(ctx context.Context, first io.Writer, e *EncryptOp, part []byte) ([]byte, error) {
	if _, err := first.Write(part); err != nil {
		return nil, err
	}
	return e.Update(ctx, part)
}

// DecryptDigest decrypts a part and adds what comes out to a digest
// (C_DecryptDigestUpdate). What Final of d returns is the caller's to add.
func DecryptDigest(ctx context.Context, d *DecryptOp, h *DigestOp, part []byte) ([]byte, error) {
	return thenWrite(ctx, d, h, part)
}

// DecryptVerify decrypts a part and adds what comes out to a verification
// (C_DecryptVerifyUpdate). What Final of d returns is the caller's to add.
func DecryptVerify(ctx context.Context, d *DecryptOp, v *VerifyOp, part []byte) ([]byte, error) {
	return thenWrite(ctx, d, v, part)
}

func thenWrite(ctx context.Context, d *DecryptOp, second io.Writer, part []byte) ([]byte, error) {
	plain, err := d.Update(ctx, part)
	if err != nil {
		return nil, err
	}
	if _, err := second.Write(plain); err != nil {
		clear(plain)
		return nil, err
	}
	return plain, nil
}
