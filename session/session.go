package session

import (
	"context"
	"iter"
	"time"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/engine"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token"
)

// Session is a PKCS #11 session of one application with one token. It is safe
// for concurrent use: operations are values of their own, and none blocks
// another.
type Session struct {
	handle *engine.Session
	rw     bool
}

// Option changes how Open opens a session.
type Option func(*config)

type config struct {
	rw  bool
	ask token.PINFunc
}

// ReadWrite opens a session that may write token objects (CKF_RW_SESSION).
func ReadWrite() Option { return func(c *config) { c.rw = true } }

// WithPINFunc says who is asked for the card's own write secret, where writing
// needs one beside the login: the management key of a PIV card
// (token.ReasonWrite). Without it such writes are refused with
// ckr.UserNotLoggedIn, unless the card has the secret where the user's PIN
// opens it.
func WithPINFunc(ask token.PINFunc) Option { return func(c *config) { c.ask = ask } }

// Open opens a session with a token (C_OpenSession, PKCS #11 v3.2 §5.6.1),
// read-only unless ReadWrite is given. The session starts with the login that
// the application already has. The card is not reached if its description is
// known. Errors: ckr.TokenNotPresent and ckr.DeviceRemoved,
// ckr.TokenNotInitialized, ckr.TokenWriteProtected,
// ckr.SessionReadWriteSOExists, ckr.ArgumentsBad for a token.Token that is not of this
// library.
func Open(ctx context.Context, t token.Token, opts ...Option) (*Session, error) {
	var c config
	for _, o := range opts {
		o(&c)
	}
	own, ok := t.(*engine.Token)
	if !ok {
		return nil, ckr.Newf(ckr.ArgumentsBad, "open session", "%T is not a token of this library", t)
	}
	handle, err := own.OpenSession(ctx, c.rw)
	if err != nil {
		return nil, err
	}
	handle.AskWith(c.ask)
	return &Session{handle: handle, rw: c.rw}, nil
}

// closeTime bounds how long Close waits for a card that does not answer.
const closeTime = time.Second

// Close ends the session (C_CloseSession). The session objects that it made
// are destroyed, for all sessions; with the last session of the application
// the login ends. The card is reached, for at most a second, only if that ends
// a login. Errors: ckr.SessionHandleInvalid if the session was closed already.
func (s *Session) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	return s.handle.Close(ctx)
}

// Info describes a session (CK_SESSION_INFO).
type Info struct {
	State     token.State
	ReadWrite bool
}

// Info tells the session's state (C_GetSessionInfo). The card is not reached.
// Errors: ckr.SessionHandleInvalid.
func (s *Session) Info() (Info, error) {
	state, err := s.handle.Current()
	return Info{State: state, ReadWrite: s.rw}, err
}

// Token returns the application's view of the token.
func (s *Session) Token() token.Token { return s.handle.Token() }

// Login logs the application in (C_Login, PKCS #11 v3.2 §5.6.8): all its
// sessions with the token change state. The card is reached, with one VERIFY,
// unless the request is refused before. The caller clears p.
//
// Errors: ckr.UserTypeInvalid, ckr.UserAlreadyLoggedIn,
// ckr.UserAnotherAlreadyLoggedIn, ckr.SessionReadOnlyExists,
// ckr.UserPINNotInitialized, ckr.PINLenRange (no try is spent),
// ckr.PINIncorrect and ckr.PINLocked, with the tries left where the card tells
// them. ContextSpecific belongs to an operation: ckr.OperationNotInitialized.
func (s *Session) Login(ctx context.Context, r token.Role, p token.PIN) error {
	return s.handle.Login(ctx, r, p)
}

// Logout ends the login (C_Logout, PKCS #11 v3.2 §5.6.9): private session
// objects are destroyed, handles to private objects are void for good, and
// operations with private keys are cut. The login has ended even if the card
// could not be told at once, which the error then says; it is told before its
// next use. Errors: ckr.UserNotLoggedIn.
func (s *Session) Logout(ctx context.Context) error { return s.handle.Logout(ctx) }

// InitPIN sets the user's PIN (C_InitPIN) and unblocks it. Errors:
// ckr.UserNotLoggedIn unless the SO is logged in, ckr.PINLenRange,
// ckr.PINInvalid. The caller clears p.
func (s *Session) InitPIN(ctx context.Context, p token.PIN) error { return s.handle.InitPIN(ctx, p) }

// SetPIN changes a PIN (C_SetPIN): the SO's in an SO session, otherwise the
// user's. Errors: ckr.SessionReadOnly, ckr.PINIncorrect, ckr.PINLocked,
// ckr.PINLenRange, ckr.PINInvalid, ckr.UserPINNotInitialized. The caller clears
// both PINs.
func (s *Session) SetPIN(ctx context.Context, old, new token.PIN) error {
	return s.handle.SetPIN(ctx, old, new)
}

// UnblockPIN sets the user's PIN with the card's unblocking PIN (PUK), which
// PKCS #11 does not know. The session is read/write. Errors:
// ckr.SessionReadOnly, ckr.PINIncorrect and ckr.PINLocked for the PUK,
// ckr.PINLenRange, ckr.PINInvalid. The caller clears both.
func (s *Session) UnblockPIN(ctx context.Context, puk, new token.PIN) error {
	return s.handle.UnblockPIN(ctx, puk, new)
}

// Find yields the objects that the session sees and that have all the given
// attributes (C_FindObjects, PKCS #11 v3.2 §5.7.6). Objects are found as they
// were when the iteration began; no lock or transaction is held while it
// yields. An attribute that is hidden never matches. Values that the card's
// directories do not show are read from the card, and only for objects that
// match in all else. An error ends the iteration.
func (s *Session) Find(ctx context.Context, match ...object.Attribute) iter.Seq2[*object.Object, error] {
	return s.handle.Find(ctx, match...)
}

// NeedsLogin reports whether a login of the user may show objects that have all
// the given attributes and that the session does not see now, so that nobody is
// asked for a PIN in vain. It tells no more of them. The card is asked, without
// a PIN, about places of which only it can tell whether they hold an object.
// Errors: ckr.SessionHandleInvalid, ckr.DeviceRemoved.
func (s *Session) NeedsLogin(ctx context.Context, match ...object.Attribute) (bool, error) {
	return s.handle.NeedsLogin(ctx, match...)
}

// Create makes an object from a template (C_CreateObject, PKCS #11 v3.2
// §5.7.1). A token object is written to the card. Errors: those of the access
// table and of the template rules, ckr.DeviceMemory if the card is full, and
// ckr.TemplateInconsistent for what the card cannot hold. The caller keeps the
// template and clears what is secret in it.
func (s *Session) Create(ctx context.Context, template ...object.Attribute) (*object.Object, error) {
	return s.handle.Create(ctx, template...)
}

// Copy makes a copy of an object, with changes (C_CopyObject, PKCS #11 v3.2
// §5.7.2). Keys on the card have values that cannot be copied:
// ckr.ActionProhibited. Errors: those of the access table for the new object
// and of the copy rules; ckr.ObjectHandleInvalid for a void source.
func (s *Session) Copy(ctx context.Context, o *object.Object, changes ...object.Attribute) (*object.Object, error) {
	return s.handle.Copy(ctx, o, changes...)
}

// Set changes attributes (C_SetAttributeValue, PKCS #11 v3.2 §5.7.5): all of
// them, or none. Errors: those of the access table and of the attribute rules,
// ckr.AttributeReadOnly and ckr.TemplateInconsistent for what the card cannot
// change, ckr.DeviceMemory.
func (s *Session) Set(ctx context.Context, o *object.Object, changes ...object.Attribute) error {
	return s.handle.Set(ctx, o, changes...)
}

// Destroy destroys an object (C_DestroyObject, PKCS #11 v3.2 §5.7.3). The
// handle stays good until the card has confirmed. Errors: those of the access
// table, ckr.ActionProhibited if CKA_DESTROYABLE is false.
func (s *Session) Destroy(ctx context.Context, o *object.Object) error {
	return s.handle.Destroy(ctx, o)
}

// Size is the number of bytes that the object's readable attributes take in
// canonical form (C_GetObjectSize). Hidden values do not count.
func (s *Session) Size(ctx context.Context, o *object.Object) (uint64, error) {
	return s.handle.Size(ctx, o)
}

// Attributes reads attributes of an object, each with a code of its own
// (C_GetAttributeValue); without types, all that can be read. Errors:
// ckr.SessionHandleInvalid, ckr.ObjectHandleInvalid.
func (s *Session) Attributes(ctx context.Context, o *object.Object, types ...object.Type) ([]object.Value, error) {
	return s.handle.Attributes(ctx, o, types...)
}

// GenerateKeyPair makes a key pair (C_GenerateKeyPair, PKCS #11 v3.2 §5.18.2):
// on the card if the private key's template has CKA_TOKEN true, else in
// software. Both halves are made, or none. Errors: those of the access table
// and of the template rules, ckr.MechanismInvalid, ckr.KeySizeRange,
// ckr.DeviceMemory.
func (s *Session) GenerateKeyPair(ctx context.Context, m mechanism.Mechanism, pub, priv object.Template) (pubKey, privKey *object.Object, err error) {
	return s.handle.GenerateKeyPair(ctx, m, pub, priv)
}

// GenerateKey makes a secret key (C_GenerateKey, PKCS #11 v3.2 §5.18.1). For
// the card it is made on the card if that can, else in software and stored.
func (s *Session) GenerateKey(ctx context.Context, m mechanism.Mechanism, template ...object.Attribute) (*object.Object, error) {
	return s.handle.GenerateKey(ctx, m, template)
}

// Random returns n random bytes, at most 16 MiB: those of the system, mixed
// with the card's own where it has a generator (C_GenerateRandom). The card is
// asked once; for more bytes than it then gives, its own are stretched by
// SHAKE256. Errors: ckr.ArgumentsBad.
func (s *Session) Random(ctx context.Context, n int) ([]byte, error) { return s.handle.Random(ctx, n) }

// Mechanisms lists what can be done with one key. The card is reached only for
// a public key that was not read before. Errors: ckr.KeyHandleInvalid.
func (s *Session) Mechanisms(ctx context.Context, key *object.Object) (map[mechanism.Type]mechanism.Info, error) {
	return s.handle.Mechanisms(ctx, key)
}
