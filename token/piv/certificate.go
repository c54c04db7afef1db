package piv

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/tlv"
	"github.com/go-cryptoki/cryptoki/object"
)

// Elements of a certificate object, SP 800-73-5 part 1 table 10.
const (
	tagCertificate tlv.Tag = 0x70
	tagCertInfo    tlv.Tag = 0x71
	tagErrorCode   tlv.Tag = 0xFE

	compressed = 0x01
)

// maxCertificate bounds what a compressed certificate may become, in bytes.
const maxCertificate = 64 << 10

// unwrapCertificate takes the certificate out of its object, expanded if it is
// compressed. Errors: ckr.DeviceError.
func unwrapCertificate(raw []byte) ([]byte, error) {
	u, err := unwrap(raw)
	return u.der, err
}

// unwrapped is what a certificate object holds.
type unwrapped struct {
	der []byte
	odd []string // what is not as the standard has it, each a sentence about the object
}

func (u *unwrapped) say(format string, args ...any) {
	u.odd = append(u.odd, fmt.Sprintf(format, args...))
}

// unwrap reads a certificate object. Cards have certificates whose CertInfo says
// that they are compressed and that are not, or the reverse, and others with
// zeros behind them: the certificate's own first bytes tell what it is. What is
// neither DER nor compressed is returned as it is. Errors: ckr.DeviceError.
func unwrap(raw []byte) (u unwrapped, err error) {
	inner, err := tlv.Find(raw, 0x53)
	if err != nil {
		return u, damaged(err)
	}
	v, err := tlv.Find(inner, tagCertificate)
	switch {
	case err != nil && len(sequence(inner)) > 0:
		u.say("the certificate is not within an element 70")
		v = inner
	case err != nil || len(v) == 0:
		return u, damaged(errors.Join(err, errors.New("it holds no certificate")))
	}
	info, err := tlv.Find(inner, tagCertInfo)
	told := err == nil && len(info) > 0
	if !told {
		u.say("it has no CertInfo that tells whether the certificate is compressed")
	}
	packed := told && info[0]&compressed != 0
	if plain := sequence(v); packed && len(plain) > 0 {
		u.say("CertInfo tells of a compressed certificate, and it is not compressed")
	} else if packed || isCompressed(v) {
		out, err := expand(v)
		switch {
		case err != nil && packed:
			return u, damaged(err)
		case err == nil:
			v = out
			if told && !packed {
				u.say("CertInfo tells of a certificate that is not compressed, and it is compressed")
			}
		}
	}
	u.der = bytes.Clone(v)
	if plain := sequence(v); 0 < len(plain) && len(plain) < len(v) {
		u.say("%d bytes follow the certificate", len(v)-len(plain))
		u.der = u.der[:len(plain)]
	}
	return u, nil
}

// sequence returns the DER of the SEQUENCE that b begins with, as certificates
// do; nil if it is none.
func sequence(b []byte) []byte {
	el, _, err := tlv.Next(b)
	if err != nil || el.Tag != 0x30 || len(el.Value) == 0 {
		return nil
	}
	return el.Raw
}

// isCompressed reports whether b begins as gzip (RFC 1952 §2.3.1) or zlib (RFC
// 1950 §2.2) does.
func isCompressed(b []byte) bool {
	return len(b) > 2 && (b[0] == 0x1F && b[1] == 0x8B || b[0]&0x0F == 8 && (uint(b[0])<<8|uint(b[1]))%31 == 0)
}

func damaged(err error) error { return ckr.New(ckr.DeviceError, "certificate object", err) }

// expand takes gzip, which the standard has, and zlib, which is found as well.
// What follows the stream is not looked at.
func expand(b []byte) ([]byte, error) {
	var r io.ReadCloser
	var err error
	if bytes.HasPrefix(b, []byte{0x1F, 0x8B}) {
		var z *gzip.Reader
		if z, err = gzip.NewReader(bytes.NewReader(b)); err == nil {
			z.Multistream(false)
			r = z
		}
	} else {
		r, err = zlib.NewReader(bytes.NewReader(b))
	}
	if err != nil {
		return nil, err
	}
	defer r.Close()
	out, err := io.ReadAll(io.LimitReader(r, maxCertificate+1))
	if err != nil {
		return nil, err
	}
	if len(out) > maxCertificate {
		return nil, errors.New("it expands to more than a certificate has")
	}
	return out, nil
}

// wrapCertificate makes the content of a certificate object, compressed if it
// would be longer than max bytes otherwise.
func wrapCertificate(der []byte, max int) []byte {
	info := byte(0)
	if len(der) > max {
		var b bytes.Buffer
		z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
		z.Write(der)
		z.Close()
		der, info = b.Bytes(), compressed
	}
	return bytes.Join([][]byte{tlv.New(tagCertificate, der), tlv.New(tagCertInfo, []byte{info}), tlv.New(tagErrorCode)}, nil)
}

// certificateView is what a certificate tells. One that crypto/x509 does not
// understand still has its value.
func certificateView(der []byte) object.Template {
	t := object.Template{object.AttrValue.Is(der)}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return t
	}
	return append(t, object.AttrSubject.Is(c.RawSubject), object.AttrIssuer.Is(c.RawIssuer),
		object.AttrSerialNumber.Is(serialDER(c.SerialNumber)), object.AttrPublicKeyInfo.Is(c.RawSubjectPublicKeyInfo))
}

// serialDER is CKA_SERIAL_NUMBER: a DER INTEGER.
func serialDER(n *big.Int) []byte {
	b := n.Bytes()
	if len(b) == 0 || b[0]&0x80 != 0 {
		b = append([]byte{0}, b...)
	}
	return tlv.New(0x02, b)
}
