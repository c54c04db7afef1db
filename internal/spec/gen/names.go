package main

import (
	"fmt"
	"strings"
	"unicode"
)

// initialisms are the words of the standard that Go writes in capitals. A
// word with a digit in it that is listed here keeps its case as well.
var initialisms = words(`
	AC ACTI AEAD AES ARIA ASN1 BLAKE2B CA CAST CAST128 CAST3 CBC CBC128 CBC64 CCM CDMF CFB CFB1 CFB128 CFB16 CFB32
	CFB64 CFB8 CKR CKS CMAC CMS CMVP CPU CRC64 CTR CTS DES DES2 DES3 DH DHP DHR DHS DKM DSA EC ECB
	ECB128 ECB64 ECB96 ECDH ECDH1 ECDSA ECMQV ECP EDE FIPS FORTEZZA GCM GMAC GOST GOST28147
	GOSTR3410 GOSTR3411 HKDF HKR HKS HMAC HOTP HSS HW ID IDEA IKE IKE1 IKE2 IPSEC ISO KDF KEM KEA KIP KW
	KWP LMOTS LMS MAC MD MD2 MD5 MGF1 MIDP MIME ML MQV MT NHKR NHKS NIST NR NS OAEP OCSP OFB OFB64 OFB8 OID OK
	OS OTP PBA PBE PBKD2 PIN PKCS PKCS5 PKCS7 PNS PRF PSS RC2 RC4 RC5 RIPEMD128 RIPEMD160 RK RNG RO
	RSA RW SHA SHA1 SHA2 SHA224 SHA256 SHA3 SHA384 SHA512 SHAKE SHAKE128 SHAKE256 SLH SO SP800 SSL3
	TLS TLS10 TLS12 TPM UI URI URL WTLS X X3DH X9 XCBC XOR XMSS XMSSMT XTS`)

// spellings are the words whose Go form is neither capitals nor a capital
// first letter.
var spellings = map[string]string{
	"CURVENAME":    "CurveName",
	"ECPARAMETERS": "ECParameters",
	"EDDSA":        "EdDSA",
	"XEDDSA":       "XEdDSA",
	"X2RATCHET":    "X2Ratchet",
	"CHACHA20":     "ChaCha20",
	"POLY1305":     "Poly1305",
	"SALSA20":      "Salsa20",
	"SECURID":      "SecurID",
}

func words(list string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(list) {
		set[w] = true
	}
	return set
}

// goName turns PIN_INCORRECT into PINIncorrect. Two digits that would run
// together stay apart: SHA512_256 is SHA512_256.
func goName(standard string) string {
	var name strings.Builder
	for word := range strings.SplitSeq(standard, "_") {
		if word == "" {
			continue
		}
		word = goWord(word)
		if s := name.String(); s != "" && unicode.IsDigit(rune(s[len(s)-1])) && unicode.IsDigit(rune(word[0])) {
			name.WriteByte('_')
		}
		name.WriteString(word)
	}
	return name.String()
}

func goWord(word string) string {
	if s, ok := spellings[word]; ok {
		return s
	}
	if initialisms[word] || unicode.IsDigit(rune(word[0])) {
		return word
	}
	return word[:1] + strings.ToLower(word[1:])
}

// A namer refuses two constants of one Go name.
type namer map[string]string

func (n namer) name(prefix, standard, cut string) (string, error) {
	name := prefix + goName(strings.TrimPrefix(standard, cut))
	if old, ok := n[name]; ok {
		return "", fmt.Errorf("%s and %s are both %s", old, standard, name)
	}
	n[name] = standard
	return name, nil
}
