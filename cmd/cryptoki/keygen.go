package main

import (
	"context"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/uri"
)

// keyKind is how keys of one type are made.
type keyKind struct {
	by     mechanism.Mechanism
	public object.Attribute
	usages []string // by default
}

var keyKinds = map[string]keyKind{
	"rsa2048": {mechanism.RSAKeyPairGen{}, object.AttrModulusBits.Is(2048), []string{"sign", "decrypt"}},
	"rsa3072": {mechanism.RSAKeyPairGen{}, object.AttrModulusBits.Is(3072), []string{"sign", "decrypt"}},
	"rsa4096": {mechanism.RSAKeyPairGen{}, object.AttrModulusBits.Is(4096), []string{"sign", "decrypt"}},
	"p256":    {mechanism.ECKeyPairGen{}, curve("P-256"), []string{"sign"}},
	"p384":    {mechanism.ECKeyPairGen{}, curve("P-384"), []string{"sign"}},
	"p521":    {mechanism.ECKeyPairGen{}, curve("P-521"), []string{"sign"}},
}

func curve(name string) object.Attribute {
	c, ok := object.CurveByName(name)
	if !ok {
		panic("no curve " + name)
	}
	return object.AttrECParams.Is(c.Params())
}

var allUsages = []string{"sign", "decrypt", "derive", "unwrap"}

// usages sets the attributes of both halves by the words of --usage.
func usages(words []string) (public, private object.Template, err error) {
	for _, w := range allUsages {
		on := slices.Contains(words, w)
		switch w {
		case "sign":
			public, private = append(public, object.AttrVerify.Is(on)), append(private, object.AttrSign.Is(on))
		case "decrypt":
			public, private = append(public, object.AttrEncrypt.Is(on)), append(private, object.AttrDecrypt.Is(on))
		case "derive":
			private = append(private, object.AttrDerive.Is(on))
		case "unwrap":
			public, private = append(public, object.AttrWrap.Is(on)), append(private, object.AttrUnwrap.Is(on))
		}
	}
	for _, w := range words {
		if !slices.Contains(allUsages, w) {
			return nil, nil, usagef("a key has no usage %q: %s", w, strings.Join(allUsages, ", "))
		}
	}
	return public, private, nil
}

// naming is the label and the id that a command gives to new objects.
func naming(label, id string) (object.Template, error) {
	var t object.Template
	if label != "" {
		t = append(t, object.AttrLabel.Is(label))
	}
	if id != "" {
		b, err := hex.DecodeString(id)
		if err != nil {
			return nil, usagef("--id takes hexadecimal digits, not %q", id)
		}
		t = append(t, object.AttrID.Is(b))
	}
	return t, nil
}

// keygen generates a key pair on the card.
func keygen(ctx context.Context, e *env, args []string) error {
	f := e.flags("keygen")
	kind := f.String("type", "", "")
	label := f.String("label", "", "")
	id := f.String("id", "", "")
	usage := f.String("usage", "", "")
	always := f.Bool("always", false, "")
	given := f.String("pin", "", "")
	text, err := parseURI(f, args)
	if err != nil {
		return err
	}
	k, ok := keyKinds[strings.ToLower(*kind)]
	if !ok {
		return usagef("keygen needs --type: %s", strings.Join(slices.Sorted(maps.Keys(keyKinds)), ", "))
	}
	if *usage != "" {
		k.usages = strings.Split(*usage, ",")
	}
	public, private, err := usages(k.usages)
	if err != nil {
		return err
	}
	names, err := naming(*label, *id)
	if err != nil {
		return err
	}
	names = append(names, object.AttrToken.Is(true))
	public = append(append(public, names...), k.public)
	private = append(private, names...)
	if *always {
		private = append(private, object.AttrAlwaysAuthenticate.Is(true))
	}
	return e.withSession(ctx, text, []session.Option{session.ReadWrite()}, given, func(s *session.Session, _ *uri.URI) error {
		stop := e.progress(ctx, "the card generates the key")
		pub, priv, err := s.GenerateKeyPair(ctx, k.by, public, private)
		stop()
		if err != nil {
			return err
		}
		out, err := collectOne(ctx, priv)
		if err != nil {
			return err
		}
		key, err := s.PublicKey(ctx, pub)
		if err != nil {
			return err
		}
		der, err := x509.MarshalPKIXPublicKey(key)
		if err != nil {
			return err
		}
		text := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
		return e.print(struct {
			objectOut
			PublicKey string `json:"public_key"`
		}{out, text}, strings.TrimSuffix(text, "\n"))
	})
}

// progress shows that something goes on, on a terminal and from the second
// second on.
func (e *env) progress(ctx context.Context, what string) (stop func()) {
	if e.json || !isTerminal(e.err) {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for n := 1; ; n++ {
			select {
			case <-tick.C:
				fmt.Fprintf(e.err, "\r%s … %d s", what, n)
			case <-ctx.Done():
				if n > 1 {
					fmt.Fprint(e.err, "\r\x1b[K")
				}
				return
			}
		}
	}()
	return func() { cancel(); <-done }
}
