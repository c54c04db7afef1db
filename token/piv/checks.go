package piv

import (
	"cmp"
	"crypto/x509"
	"fmt"
	"slices"
	"time"
)

// judgement is a card that is being judged, from what was read of it alone.
type judgement struct {
	*holdings
	at      time.Time
	issuers []*x509.Certificate

	chuid   *chuid              // nil if there is none that can be read
	signers []*x509.Certificate // certificates in the CHUID's signature
	judged  map[string]bool     // signers' certificates that were spoken of
	list    []Finding
}

// judge finds what is wrong.
func judge(h *holdings, at time.Time, issuers []*x509.Certificate) []Finding {
	j := &judgement{holdings: h, at: at, issuers: issuers, judged: make(map[string]bool)}
	j.readCHUID()
	if j.issued = j.issued || j.chuid != nil && len(j.chuid.signature) > 0 || j.content[tagSecurity] != nil; j.issued {
		j.mandatory()
	}
	j.judgeDamaged()
	j.judgeCHUID()
	for i := range places {
		if c, ok := j.certs[&places[i]]; ok {
			j.judgeCertificate(&places[i], c)
		}
	}
	for _, tag := range biometrics {
		j.judgeBiometric(tag)
	}
	j.judgeSecurity()
	j.judgePrinted()
	j.judgeHistory()
	j.judgeDiscovery()
	return j.list
}

func (j *judgement) say(k FindingKind, about subject, format string, args ...any) {
	j.list = append(j.list, Finding{k, about.label, about.tag, fmt.Sprintf(format, args...)})
}

// mandatory are the objects that every card of an issuer has, SP 800-73-5 part
// 1 table 1. Those that need the PIN are missed only if they were looked for.
var mandatory = []uint32{0x5FC107, tagCHUID, 0x5FC105, 0x5FC101, tagFingerprints, tagSecurity, tagFace}

func (j *judgement) mandatory() {
	for _, tag := range mandatory {
		if !j.absent[tag] {
			continue
		}
		about := dataObject(tag)
		for i := range places {
			if places[i].tag == tag {
				about = certificateOf(&places[i])
			}
		}
		j.say(Missing, about, "the card has none")
	}
}

func (j *judgement) judgeDamaged() {
	for _, tag := range sortedKeys(j.damaged) {
		j.say(Damaged, dataObject(tag), "%v", j.damaged[tag])
	}
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// validity tells of a certificate that is not valid at the time. whose is how
// it is called.
func (j *judgement) validity(about subject, whose string, c *x509.Certificate) {
	switch {
	case j.at.After(c.NotAfter):
		j.say(Expired, about, "%s was valid until %s", whose, c.NotAfter.UTC().Format(time.DateOnly))
	case j.at.Before(c.NotBefore):
		j.say(NotYetValid, about, "%s is valid from %s on", whose, c.NotBefore.UTC().Format(time.DateOnly))
	}
}
