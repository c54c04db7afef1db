package piv

import (
	"bytes"
	"strings"
	"time"

	"github.com/go-cryptoki/cryptoki/internal/tlv"
)

// Elements of the printed information and of the key history, SP 800-73-5 part
// 1 tables 13 and 17.
const (
	tagPrintedExpiration = tlv.Tag(0x04)
	tagOnCard            = tlv.Tag(0xC1)
	tagOffCard           = tlv.Tag(0xC2)
	tagOffCardURL        = tlv.Tag(0xF3)
)

// judgePrinted compares the day that is printed on the card with the CHUID's.
// On a YubiKey the object may hold something else.
func (j *judgement) judgePrinted() {
	v, about := j.content[tagPrinted], dataObject(tagPrinted)
	if v == nil || j.chuid == nil || !j.issued {
		return
	}
	day, err := tlv.Find(v, tagPrintedExpiration)
	if err != nil {
		j.say(Damaged, about, "it does not tell when the card expires")
		return
	}
	printed, err := time.Parse("2006Jan02", title(string(day)))
	if err != nil {
		j.say(Damaged, about, "%q is no day of expiration", day)
		return
	}
	if expires := j.chuid.expires; !expires.IsZero() && printed.Format(time.DateOnly) != expires.Format(time.DateOnly) {
		j.say(Mismatch, about, "the card is printed to expire on %s, by its CHUID on %s", printed.Format(time.DateOnly), expires.Format(time.DateOnly))
	}
}

// title writes the month of a date like 2032DEC02 as package time has it.
func title(day string) string {
	if len(day) != 9 {
		return day
	}
	return day[:5] + strings.ToLower(day[5:7]) + day[7:]
}

// judgeHistory compares the key history with the retired certificates, which
// are in the first places and may be elsewhere in part.
func (j *judgement) judgeHistory() {
	v, about := j.content[tagHistory], dataObject(tagHistory)
	there := 0
	for i := range places {
		if _, ok := j.certs[&places[i]]; ok && places[i].retired() {
			there++
		}
	}
	if v == nil {
		if there > 0 && j.issued && j.absent[tagHistory] {
			j.say(Missing, about, "the card has none, but %d certificates of retired keys", there)
		}
		return
	}
	on, off, ok := historyCounts(v)
	if !ok || on+off > retiredKeys {
		j.say(Damaged, about, "it does not tell how many retired keys there are")
		return
	}
	if on != there {
		j.say(Mismatch, about, "it tells of %d certificates on the card, where %d are", on, there)
	}
	if url, err := tlv.Find(v, tagOffCardURL); off > 0 && (err != nil || len(url) == 0) {
		j.say(Mismatch, about, "it tells of %d certificates elsewhere, and not where", off)
	} else if off == 0 && on == 0 && len(url) > 0 {
		j.say(Mismatch, about, "it tells where certificates are that there are not")
	}
}

func historyCounts(v []byte) (on, off int, ok bool) {
	a, err := tlv.Find(v, tagOnCard)
	if err != nil || len(a) != 1 {
		return 0, 0, false
	}
	b, err := tlv.Find(v, tagOffCard)
	if err != nil || len(b) != 1 {
		return 0, 0, false
	}
	return int(a[0]), int(b[0]), true
}

// judgeDiscovery checks the discovery object's form, and that the card has what
// its PIN usage policy tells of, SP 800-73-5 part 1 §3.3.2.
func (j *judgement) judgeDiscovery() {
	v, about := j.content[tagDiscovery], dataObject(tagDiscovery)
	if v == nil {
		return
	}
	name, err := tlv.Find(v, tagDiscovery, 0x4F)
	if err != nil || !bytes.HasPrefix(name, aid) {
		j.say(Mismatch, about, "it is of another application")
	}
	policy, err := tlv.Find(v, tagDiscovery, 0x5F2F)
	if err != nil || len(policy) != 2 {
		j.say(Damaged, about, "it has no PIN usage policy")
		return
	}
	which, prefers := policy[0], policy[1]
	if which&0x40 == 0 {
		j.say(Mismatch, about, "the PIN of the application does not count by its policy, %02X", which)
	}
	if global := which&policyGlobal != 0; global && prefers != 0x10 && prefers != preferGlobal {
		j.say(Mismatch, about, "it does not tell which of two PINs is preferred, %02X", prefers)
	} else if !global && prefers == preferGlobal {
		j.say(Mismatch, about, "it prefers the global PIN, which does not count")
	}
	if which&policyOCC != 0 && j.absent[tagBIT] {
		j.say(Mismatch, about, "it tells of comparison on the card, for which there are no templates")
	}
	if which&policyVCI != 0 && j.absent[0x5FC122] {
		j.say(Mismatch, about, "it tells of secure messaging, for which there is no certificate")
	}
}
