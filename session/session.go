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
	seat *engine.Session
	rw   bool
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
	seat, err := own.OpenSession(ctx, c.rw)
	if err != nil {
		return nil, err
	}
	seat.AskWith(c.ask)
	return &Session{seat: seat, rw: c.rw}, nil
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
	return s.seat.Close(ctx)
}

// Info describes a session (CK_SESSION_INFO).
type Info struct {
	State     token.State
	ReadWrite bool
}

// Info tells the session's state (C_GetSessionInfo). The card is not reached.
// Errors: ckr.SessionHandleInvalid.
func (s *Session) Info() (Info, error) {
	state, err := s.seat.Current()
	return Info{State: state, ReadWrite: s.rw}, err
}

// Token returns the application's view of the token.
func (s *Session) Token() token.Token { return s.seat.Token() }

// Login logs the application in to the token, in all its sessions; see
// token.Seat.Login. The caller clears the PIN.
func (s *Session) Login(ctx context.Context, r token.Role, p token.PIN) error {
	return s.seat.Login(ctx, r, p)
}

// Logout ends the application's login in all its sessions; see
// token.Seat.Logout.
func (s *Session) Logout(ctx context.Context) error { return s.seat.Logout(ctx) }

// InitPIN sets the user's PIN, and unblocks it, in an SO session; see
// token.Seat.InitPIN.
func (s *Session) InitPIN(ctx context.Context, p token.PIN) error { return s.seat.InitPIN(ctx, p) }

// SetPIN changes the PIN of the user, in an SO session that of the SO; see
// token.Seat.SetPIN.
func (s *Session) SetPIN(ctx context.Context, old, new token.PIN) error {
	return s.seat.SetPIN(ctx, old, new)
}

// UnblockPIN sets the user's PIN with the card's unblocking PIN; see
// token.Seat.UnblockPIN.
func (s *Session) UnblockPIN(ctx context.Context, puk, new token.PIN) error {
	return s.seat.UnblockPIN(ctx, puk, new)
}

// Find yields the objects that the session sees and that have all the given
// attributes; see token.Seat.Find.
func (s *Session) Find(ctx context.Context, match ...object.Attribute) iter.Seq2[*object.Object, error] {
	return s.seat.Find(ctx, match...)
}

// NeedsLogin reports whether a login of the user may show objects that have all
// the given attributes and that the session does not see now, so that nobody is
// asked for a PIN in vain; see token.Seat.NeedsLogin.
func (s *Session) NeedsLogin(ctx context.Context, match ...object.Attribute) (bool, error) {
	return s.seat.NeedsLogin(ctx, match...)
}

// Create makes an object from its attributes; see token.Seat.Create.
func (s *Session) Create(ctx context.Context, template ...object.Attribute) (*object.Object, error) {
	return s.seat.Create(ctx, template...)
}

// Copy makes a copy of an object with some attributes changed; see
// token.Seat.Copy.
func (s *Session) Copy(ctx context.Context, o *object.Object, changes ...object.Attribute) (*object.Object, error) {
	return s.seat.Copy(ctx, o, changes...)
}

// Set changes attributes of an object; see token.Seat.Set.
func (s *Session) Set(ctx context.Context, o *object.Object, changes ...object.Attribute) error {
	return s.seat.Set(ctx, o, changes...)
}

// Destroy destroys an object; see token.Seat.Destroy.
func (s *Session) Destroy(ctx context.Context, o *object.Object) error {
	return s.seat.Destroy(ctx, o)
}

// Size tells how many bytes an object takes; see token.Seat.Size.
func (s *Session) Size(ctx context.Context, o *object.Object) (uint64, error) {
	return s.seat.Size(ctx, o)
}

// Attributes reads attributes of an object, each with a code of its own
// (C_GetAttributeValue); without types, all that can be read. Errors:
// ckr.SessionHandleInvalid, ckr.ObjectHandleInvalid.
func (s *Session) Attributes(ctx context.Context, o *object.Object, types ...object.Type) ([]object.Value, error) {
	return s.seat.Attributes(ctx, o, types...)
}

// GenerateKeyPair makes a key pair, on the card if the private key's template
// has CKA_TOKEN true; see token.Seat.GenerateKeyPair.
func (s *Session) GenerateKeyPair(ctx context.Context, m mechanism.Mechanism, pub, priv object.Template) (pubKey, privKey *object.Object, err error) {
	return s.seat.GenerateKeyPair(ctx, m, pub, priv)
}

// GenerateKey makes a secret key; see token.Seat.GenerateKey.
func (s *Session) GenerateKey(ctx context.Context, m mechanism.Mechanism, template ...object.Attribute) (*object.Object, error) {
	return s.seat.GenerateKey(ctx, m, template)
}

// Random returns n random bytes; see token.Seat.Random.
func (s *Session) Random(ctx context.Context, n int) ([]byte, error) { return s.seat.Random(ctx, n) }

// Mechanisms lists what can be done with one key; see token.Seat.Mechanisms.
func (s *Session) Mechanisms(ctx context.Context, key *object.Object) (map[mechanism.Type]mechanism.Info, error) {
	return s.seat.Mechanisms(ctx, key)
}
