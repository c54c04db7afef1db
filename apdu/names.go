package apdu

import "fmt"

// Instruction bytes of ISO 7816-4, -8 and -9 that this package itself uses or
// looks at.
const (
	insVerify        = 0x20
	insSelect        = 0xA4
	insReadBinary    = 0xB0
	insReadBinaryODO = 0xB1
	insReadRecord    = 0xB2
	insGetResponse   = 0xC0
	insGetData       = 0xCA
	insGetDataODO    = 0xCB
	insMSE           = 0x22
	insCreateFile    = 0xE0
	insDeleteFile    = 0xE4
)

// names holds the commands of ISO 7816-4, -8 and -9 by instruction byte.
var names = map[byte]string{
	0x04: "DEACTIVATE FILE", 0x0C: "ERASE RECORD", 0x0E: "ERASE BINARY", 0x0F: "ERASE BINARY",
	0x10: "PERFORM SCQL OPERATION", 0x20: "VERIFY", 0x21: "VERIFY",
	0x22: "MANAGE SECURITY ENVIRONMENT", 0x24: "CHANGE REFERENCE DATA",
	0x26: "DISABLE VERIFICATION REQUIREMENT", 0x28: "ENABLE VERIFICATION REQUIREMENT",
	0x2A: "PERFORM SECURITY OPERATION", 0x2C: "RESET RETRY COUNTER", 0x2E: "DEAUTHENTICATE",
	0x44: "ACTIVATE FILE", 0x46: "GENERATE ASYMMETRIC KEY PAIR", 0x47: "GENERATE ASYMMETRIC KEY PAIR",
	0x70: "MANAGE CHANNEL", 0x82: "EXTERNAL AUTHENTICATE", 0x84: "GET CHALLENGE",
	0x86: "GENERAL AUTHENTICATE", 0x87: "GENERAL AUTHENTICATE", 0x88: "INTERNAL AUTHENTICATE",
	0xA0: "SEARCH BINARY", 0xA1: "SEARCH BINARY", 0xA2: "SEARCH RECORD", 0xA4: "SELECT",
	0xB0: "READ BINARY", 0xB1: "READ BINARY", 0xB2: "READ RECORD", 0xB3: "READ RECORD",
	0xC0: "GET RESPONSE", 0xC2: "ENVELOPE", 0xC3: "ENVELOPE", 0xCA: "GET DATA", 0xCB: "GET DATA",
	0xD0: "WRITE BINARY", 0xD1: "WRITE BINARY", 0xD2: "WRITE RECORD", 0xD6: "UPDATE BINARY",
	0xD7: "UPDATE BINARY", 0xDA: "PUT DATA", 0xDB: "PUT DATA", 0xDC: "UPDATE RECORD", 0xDD: "UPDATE RECORD",
	0xE0: "CREATE FILE", 0xE2: "APPEND RECORD", 0xE4: "DELETE FILE", 0xE6: "TERMINATE DF",
	0xE8: "TERMINATE EF", 0xFE: "TERMINATE CARD USAGE",
}

// securityOperations names the forms of PERFORM SECURITY OPERATION by P1 P2,
// ISO 7816-8 §5.
var securityOperations = map[uint16]string{
	0x9E9A: "COMPUTE DIGITAL SIGNATURE", 0x9EAC: "COMPUTE DIGITAL SIGNATURE", 0x9EBC: "COMPUTE DIGITAL SIGNATURE",
	0x8086: "DECIPHER", 0x8084: "DECIPHER", 0x8480: "ENCIPHER", 0x8680: "ENCIPHER",
	0x9080: "HASH", 0x90A0: "HASH", 0x00A8: "VERIFY DIGITAL SIGNATURE",
	0x00BE: "VERIFY CERTIFICATE", 0x00AE: "VERIFY CERTIFICATE",
	0x8E80: "COMPUTE CRYPTOGRAPHIC CHECKSUM", 0x00A2: "VERIFY CRYPTOGRAPHIC CHECKSUM",
}

func name(cla, ins, p1, p2 byte) string {
	if ins == 0x2A {
		if n, ok := securityOperations[uint16(p1)<<8|uint16(p2)]; ok {
			return n
		}
	}
	if n, ok := names[ins]; ok {
		return n
	}
	if cla&0x80 != 0 {
		return fmt.Sprintf("CLA %02X INS %02X", cla, ins)
	}
	return fmt.Sprintf("INS %02X", ins)
}
