package object

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Class is the class of an object, a CK_OBJECT_CLASS.
type Class uint64

// KeyType is the type of a key, a CK_KEY_TYPE.
type KeyType uint64

// CertificateType is the type of a certificate, a CK_CERTIFICATE_TYPE.
type CertificateType uint64

// HWFeatureType is the type of a hardware feature, a CK_HW_FEATURE_TYPE.
type HWFeatureType uint64

// ProfileID is a profile that a token conforms to, a CK_PROFILE_ID.
type ProfileID uint64

// ParameterSet is the parameter set of a post-quantum key. What a number
// means depends on the type of the key.
type ParameterSet uint64

// Trust says how far a certificate is trusted for one purpose, a CK_TRUST.
type Trust uint64

// CertificateCategory is a CK_CERTIFICATE_CATEGORY.
type CertificateCategory uint64

// SecurityDomain is a CK_JAVA_MIDP_SECURITY_DOMAIN.
type SecurityDomain uint64

// ValidationType is a CK_VALIDATION_TYPE.
type ValidationType uint64

// ValidationAuthority is a CK_VALIDATION_AUTHORITY_TYPE.
type ValidationAuthority uint64

type numberName struct {
	number uint64
	name   string
}

// nameOf returns the standard's name of a number, or the number after the
// prefix that the names have.
func nameOf(names []numberName, prefix string, n uint64) string {
	i, ok := slices.BinarySearchFunc(names, n, func(a numberName, n uint64) int { return cmp.Compare(a.number, n) })
	if !ok {
		return fmt.Sprintf("%s0x%08x", prefix, n)
	}
	return names[i].name
}

// String returns the standard's name, such as "CKO_PRIVATE_KEY".
func (c Class) String() string { return nameOf(classNames[:], "CKO_", uint64(c)) }

// String returns the standard's name, such as "CKK_RSA".
func (t KeyType) String() string { return nameOf(keyTypeNames[:], "CKK_", uint64(t)) }

// String returns the standard's name, such as "CKC_X_509".
func (t CertificateType) String() string { return nameOf(certificateTypeNames[:], "CKC_", uint64(t)) }

// String returns the standard's name, such as "CKH_CLOCK".
func (t HWFeatureType) String() string { return nameOf(hwFeatureTypeNames[:], "CKH_", uint64(t)) }

// String returns the standard's name, such as "CKP_BASELINE_PROVIDER".
func (p ProfileID) String() string { return nameOf(profileIDNames[:], "CKP_", uint64(p)) }

// String returns the number.
func (p ParameterSet) String() string { return strconv.FormatUint(uint64(p), 10) }

// String returns the standard's name, such as "CKT_TRUST_ANCHOR".
func (t Trust) String() string { return nameOf(trustNames[:], "CKT_", uint64(t)) }

// String returns the standard's name, such as
// "CK_CERTIFICATE_CATEGORY_AUTHORITY".
func (c CertificateCategory) String() string {
	return nameOf(certificateCategoryNames[:], "CK_CERTIFICATE_CATEGORY_", uint64(c))
}

// String returns the standard's name, such as "CK_SECURITY_DOMAIN_OPERATOR".
func (d SecurityDomain) String() string {
	return nameOf(securityDomainNames[:], "CK_SECURITY_DOMAIN_", uint64(d))
}

// String returns the standard's name, such as "CKV_TYPE_HARDWARE".
func (t ValidationType) String() string {
	return nameOf(validationTypeNames[:], "CKV_TYPE_", uint64(t))
}

// String returns the standard's name, such as
// "CKV_AUTHORITY_TYPE_NIST_CMVP".
func (a ValidationAuthority) String() string {
	return nameOf(validationAuthorityNames[:], "CKV_AUTHORITY_TYPE_", uint64(a))
}

// parse finds a number by the standard's name.
func parse(names []numberName, name string) (uint64, bool) {
	for _, n := range names {
		if n.name == name {
			return n.number, true
		}
	}
	return 0, false
}

// ParseClass returns the class that the standard calls name, such as
// "CKO_DATA".
func ParseClass(name string) (Class, bool) {
	n, ok := parse(classNames[:], name)
	return Class(n), ok
}

// ParseKeyType returns the key type that the standard calls name, such as
// "CKK_RSA".
func ParseKeyType(name string) (KeyType, bool) {
	n, ok := parse(keyTypeNames[:], name)
	return KeyType(n), ok
}

// ParseCertificateType returns the certificate type that the standard calls
// name, such as "CKC_X_509".
func ParseCertificateType(name string) (CertificateType, bool) {
	n, ok := parse(certificateTypeNames[:], name)
	return CertificateType(n), ok
}

// words turns CKO_PRIVATE_KEY into "private key".
func (c Class) words() string {
	name := c.String()
	if strings.HasPrefix(name, "CKO_0x") {
		return "class 0x" + name[len("CKO_0x"):]
	}
	return strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(name, "CKO_"), "_", " "))
}

// IsKey reports whether objects of the class are public, private or secret
// keys.
func (c Class) IsKey() bool {
	return c == ClassPublicKey || c == ClassPrivateKey || c == ClassSecretKey
}
