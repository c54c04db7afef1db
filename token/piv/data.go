package piv

// container is a data object that is no certificate, SP 800-73-5 part 1
// table 3 and appendix B.
type container struct {
	tag     uint32
	arcs    []byte // of its identifier under 2.16.840.1.101.3.7, in DER
	name    string
	private bool // read with the PIN
	yubico  bool
	only    func(a *app) bool // whether a card may have it, if not every one may
}

const (
	tagCHUID     = 0x5FC102
	tagPrinted   = 0x5FC109
	tagHistory   = 0x5FC10C
	tagDiscovery = 0x7E
	tagBIT       = 0x7F61
	tagAdmin     = 0x5FFF00

	tagAttestation = 0x5FFF01 // a certificate
)

// containers has all of them. Where the discovery object tells that a card has
// no use for one, it is not looked for.
var containers = []container{
	{tag: 0x5FC107, arcs: []byte{0x01, 0x81, 0x5B, 0x00}, name: "Card Capability Container"},
	{tag: tagCHUID, arcs: []byte{0x02, 0x30, 0x00}, name: "Card Holder Unique Identifier"},
	{tag: tagFingerprints, arcs: []byte{0x02, 0x60, 0x10}, name: "Cardholder Fingerprints", private: true},
	{tag: tagSecurity, arcs: []byte{0x02, 0x81, 0x10, 0x00}, name: "Security Object"},
	{tag: tagFace, arcs: []byte{0x02, 0x60, 0x30}, name: "Cardholder Facial Image", private: true},
	{tag: tagPrinted, arcs: []byte{0x02, 0x30, 0x01}, name: "Printed Information", private: true},
	{tag: tagDiscovery, arcs: []byte{0x02, 0x60, 0x50}, name: "Discovery Object"},
	{tag: tagHistory, arcs: []byte{0x02, 0x60, 0x60}, name: "Key History Object"},
	{tag: tagIris, arcs: []byte{0x02, 0x10, 0x15}, name: "Cardholder Iris Images", private: true},
	{tag: tagBIT, arcs: []byte{0x02, 0x10, 0x16}, name: "Biometric Information Templates Group Template", only: (*app).comparesOnCard},
	{tag: 0x5FC122, arcs: []byte{0x02, 0x10, 0x17}, name: "Secure Messaging Certificate Signer", only: (*app).securesMessages},
	{tag: 0x5FC123, arcs: []byte{0x02, 0x10, 0x18}, name: "Pairing Code Reference Data", private: true, only: (*app).securesMessages},
	{tag: tagAdmin, name: "YubiKey Administration", yubico: true},
	{tag: 0x5FFF10, name: "Microsoft Container Map", yubico: true},
	{tag: 0x5FFF11, name: "Microsoft Roots 1", yubico: true},
	{tag: 0x5FFF12, name: "Microsoft Roots 2", yubico: true},
	{tag: 0x5FFF13, name: "Microsoft Roots 3", yubico: true},
	{tag: 0x5FFF14, name: "Microsoft Roots 4", yubico: true},
	{tag: 0x5FFF15, name: "Microsoft Roots 5", yubico: true},
}

// oid is the DER of the object identifier; empty for those that have none.
func (c *container) oid() []byte {
	if c.arcs == nil {
		return nil
	}
	under := []byte{0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x07} // 2.16.840.1.101.3.7
	der := append([]byte{0x06, byte(len(under) + len(c.arcs))}, under...)
	return append(der, c.arcs...)
}
