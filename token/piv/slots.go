package piv

import "fmt"

// place is a key slot, SP 800-73-5 part 1 tables 4 and 5.
type place struct {
	ref  byte   // key reference
	tag  uint32 // of the certificate's object
	id   byte   // CKA_ID
	name string
}

// Key references that have rules of their own.
const (
	refSignature   = 0x9C
	refKeyMgmt     = 0x9D
	refCardAuth    = 0x9E
	refAdmin       = 0x9B
	refAttestation = 0xF9
	firstRetired   = 0x82
	retiredKeys    = 20
)

// places has all slots, those that a card shows first first.
var places = makePlaces()

func makePlaces() []place {
	list := []place{
		{0x9A, 0x5FC105, 0x01, "PIV Authentication"},
		{refSignature, 0x5FC10A, 0x02, "Digital Signature"},
		{refKeyMgmt, 0x5FC10B, 0x03, "Key Management"},
		{refCardAuth, 0x5FC101, 0x04, "Card Authentication"},
	}
	for n := range retiredKeys {
		list = append(list, place{
			byte(firstRetired + n), uint32(0x5FC10D + n), byte(0x05 + n), fmt.Sprintf("Retired Key Management %d", n+1),
		})
	}
	return append(list, place{refAttestation, tagAttestation, 0x19, "PIV Attestation"})
}

func (p *place) retired() bool { return p.ref >= firstRetired && p.ref < firstRetired+retiredKeys }

// agrees tells whether the standard has the slot's keys agree on secrets and
// decipher, rather than sign.
func (p *place) agrees() bool { return p.ref == refKeyMgmt || p.retired() }
