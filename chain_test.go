package cryptoki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	mathrand "math/rand/v2"
	"testing"
	"time"
)

// ring of authorities, for chains.
type authority struct {
	name string
	key  *ecdsa.PrivateKey
}

func newAuthorities(t testing.TB, n int) (list []authority) {
	t.Helper()
	for i := range n {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, authority{fmt.Sprintf("authority %d", i), key})
	}
	return list
}

func (a authority) certify(t testing.TB, name string, key crypto.PublicKey, serial int, from, until time.Time) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(int64(serial)), Subject: pkix.Name{CommonName: name}, NotBefore: from, NotAfter: until,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	issuer := &x509.Certificate{Subject: pkix.Name{CommonName: a.name}, PublicKey: a.key.Public()}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key, a.key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Authorities that have all certified each other, each twice, make more chains
// than can be tried. One is found in the end, and it is a good one.
func TestChainAmongVeryManyIsFound(t *testing.T) {
	now := time.Now()
	list := newAuthorities(t, 12)
	var pool []*x509.Certificate
	for i, a := range list {
		for j, b := range list {
			if i == j {
				continue
			}
			for range 2 {
				pool = append(pool, a.certify(t, b.name, b.key.Public(), len(pool)+1, now.Add(-time.Hour), now.Add(time.Hour)))
			}
		}
	}
	leaf := list[0].certify(t, "leaf", newAuthorities(t, 1)[0].key.Public(), 1000, now.Add(-time.Hour), now.Add(time.Hour))
	root := list[5].certify(t, list[5].name, list[5].key.Public(), 1001, now.Add(-time.Hour), now.Add(time.Hour))
	start := time.Now()
	c := buildChain(leaf, append(pool, root), now)
	if err := c.Err(); err != nil || len(c.Certificates) != 3 {
		t.Errorf("%d certificates, %v", len(c.Certificates), err)
	}
	checkLinks(t, c, now)
	endless := buildChain(leaf, pool, now)
	if endless.Err() == nil || len(endless.Certificates) < 2 {
		t.Errorf("without a root: %d certificates, %v", len(endless.Certificates), endless.Err())
	}
	checkLinks(t, endless, now)
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
}

// Whatever authorities have certified whom, a chain is one: each certificate is
// signed by the next, none is there twice, and it is not worse than another.
func TestChainsOfAnyAuthorities(t *testing.T) {
	now := time.Now()
	list := newAuthorities(t, 5)
	for seed := range uint64(200) {
		r := mathrand.New(mathrand.NewPCG(seed, 0))
		var pool []*x509.Certificate
		for range 1 + r.IntN(12) {
			a, b := list[r.IntN(len(list))], list[r.IntN(len(list))]
			from := now.Add(time.Duration(r.IntN(8)-6) * time.Hour)
			pool = append(pool, a.certify(t, b.name, b.key.Public(), len(pool)+1, from, from.Add(4*time.Hour)))
		}
		leaf := pool[r.IntN(len(pool))]
		c := buildChain(leaf, pool, now)
		if !c.Certificates[0].Equal(leaf) {
			t.Fatalf("seed %d: the chain begins with another certificate", seed)
		}
		checkLinks(t, c, now)
		r.Shuffle(len(pool), func(i, j int) { pool[i], pool[j] = pool[j], pool[i] })
		again := buildChain(leaf, pool, now)
		if fmt.Sprint(subjects(c)) != fmt.Sprint(subjects(again)) {
			t.Errorf("seed %d: %v, and in another order %v", seed, subjects(c), subjects(again))
		}
		// If crypto/x509 finds a chain of valid certificates, this one is too.
		roots, others := x509.NewCertPool(), x509.NewCertPool()
		found := false
		for _, x := range pool {
			others.AddCert(x)
			if string(x.RawIssuer) == string(x.RawSubject) {
				roots.AddCert(x)
				found = true
			}
		}
		if !found {
			continue
		}
		_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: others, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
		if err == nil && (c.Err() != nil || len(c.Problems) > 0) {
			t.Errorf("seed %d: crypto/x509 has a chain, and this is %v: %v", seed, subjects(c), c.Problems)
		}
	}
}

func subjects(c *Chain) (list []string) {
	for _, x := range c.Certificates {
		list = append(list, fmt.Sprintf("%s (%d)", x.Subject.CommonName, x.SerialNumber))
	}
	return list
}

func checkLinks(t *testing.T, c *Chain, now time.Time) {
	t.Helper()
	seen := map[string]bool{}
	for i, x := range c.Certificates {
		if who := string(x.RawSubject) + string(x.RawSubjectPublicKeyInfo); seen[who] {
			t.Errorf("%v is there twice: %v", x.Subject, subjects(c))
		} else {
			seen[who] = true
		}
		if i > 0 {
			if err := c.Certificates[i-1].CheckSignatureFrom(x); err != nil {
				t.Errorf("%v: %v", subjects(c), err)
			}
		}
		problem := ""
		for _, p := range c.Problems {
			if p.Certificate == x && (p.Kind == ChainExpired || p.Kind == ChainNotYetValid) {
				problem = p.Detail
			}
		}
		if isValid(x, now) != (problem == "") {
			t.Errorf("%v: %q", subjects(c), problem)
		}
	}
	if last := c.Certificates[len(c.Certificates)-1]; (c.Err() == nil) != (last.CheckSignatureFrom(last) == nil) {
		t.Errorf("%v: %v", subjects(c), c.Err())
	}
}
