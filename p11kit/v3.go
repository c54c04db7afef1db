package p11kit

import (
	"context"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/token"
)

// loginUser is login by a name. Cards know users by their roles only, so that
// only the one without a name can log in.
var loginUser = on(func(ctx context.Context, c *client, r *reader, _ *writer) error {
	role, p, name := token.Role(r.ulong()), pin(r.bytes()), r.bytes()
	defer p.Clear()
	if r.err != nil {
		return r.err
	}
	if len(name) > 0 {
		return ckr.UserTypeInvalid
	}
	return c.login(ctx, role, p)
})

// cancellable has the flags of C_SessionCancel, which are those of mechanisms.
var cancellable = [kinds]mechanism.Flags{
	encrypting:       mechanism.FlagEncrypt,
	decrypting:       mechanism.FlagDecrypt,
	digesting:        mechanism.FlagDigest,
	signing:          mechanism.FlagSign,
	verifying:        mechanism.FlagVerify,
	signRecovering:   mechanism.FlagSignRecover,
	verifyRecovering: mechanism.FlagVerifyRecover,
}

// sessionCancel ends operations. A flag of one that is not active, or that
// there is none of here, is ignored.
var sessionCancel = on(func(_ context.Context, c *client, r *reader, _ *writer) error {
	flags := mechanism.Flags(r.ulong())
	if _, err := c.s.Info(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for k, f := range cancellable {
		if flags.Has(f) {
			c.end(kind(k))
		}
	}
	if flags.Has(mechanism.FlagFindObjects) {
		c.found, c.search = nil, false
	}
	return nil
})

// messages answers the message-based calls: their parameters are structures
// with pointers into the client's memory, and mean nothing here.
var messages = on(func(context.Context, *client, *reader, *writer) error { return ckr.FunctionNotSupported })
