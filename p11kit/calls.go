package p11kit

import (
	"context"

	"github.com/go-cryptoki/cryptoki/mechanism"
)

// handler carries out a call: it takes the fields of the request and writes
// those of the answer.
type handler func(ctx context.Context, a *application, r *reader, w *writer) error

// call is one row of the protocol's table: the signatures of request and
// answer, which both sides must agree on, and what is done.
type call struct {
	name            string
	request, answer string
	early           bool // before C_Initialize
	run             handler
}

// calls is the protocol's table; the number of a call is its place.
var calls = [...]call{
	0:  {name: "ERROR"},
	1:  {"C_Initialize", "ayyay", "", true, initialize},
	2:  {"C_Finalize", "", "", false, finalize},
	3:  {"C_GetInfo", "", "vsusv", false, getInfo},
	4:  {"C_GetSlotList", "yfu", "au", false, getSlotList},
	5:  {"C_GetSlotInfo", "u", "ssuvv", false, getSlotInfo},
	6:  {"C_GetTokenInfo", "u", "ssssuuuuuuuuuuuvvs", false, getTokenInfo},
	7:  {"C_GetMechanismList", "ufu", "au", false, getMechanismList},
	8:  {"C_GetMechanismInfo", "uu", "uuu", false, getMechanismInfo},
	9:  {"C_InitToken", "uayz", "", false, initToken},
	10: {"C_OpenSession", "uu", "u", false, openSession},
	11: {"C_CloseSession", "u", "", false, closeSession},
	12: {"C_CloseAllSessions", "u", "", false, closeAllSessions},
	13: {"C_GetSessionInfo", "u", "uuuu", false, getSessionInfo},
	14: {"C_InitPIN", "uay", "", false, initPIN},
	15: {"C_SetPIN", "uayay", "", false, setPIN},
	16: {"C_GetOperationState", "ufy", "ay", false, getOperationState},
	17: {"C_SetOperationState", "uayuu", "", false, setOperationState},
	18: {"C_Login", "uuay", "", false, login},
	19: {"C_Logout", "u", "", false, logout},
	20: {"C_CreateObject", "uaA", "u", false, createObject},
	21: {"C_CopyObject", "uuaA", "u", false, copyObject},
	22: {"C_DestroyObject", "uu", "", false, destroyObject},
	23: {"C_GetObjectSize", "uu", "u", false, getObjectSize},
	24: {"C_GetAttributeValue", "uufA", "aAu", false, getAttributeValue},
	25: {"C_SetAttributeValue", "uuaA", "", false, setAttributeValue},
	26: {"C_FindObjectsInit", "uaA", "", false, findObjectsInit},
	27: {"C_FindObjects", "ufu", "au", false, findObjects},
	28: {"C_FindObjectsFinal", "u", "", false, findObjectsFinal},
	29: {"C_EncryptInit", "uMu", "", false, encryptInit},
	30: {"C_Encrypt", "uayfy", "ay", false, encrypt},
	31: {"C_EncryptUpdate", "uayfy", "ay", false, encryptUpdate},
	32: {"C_EncryptFinal", "ufy", "ay", false, encryptFinal},
	33: {"C_DecryptInit", "uMu", "", false, decryptInit},
	34: {"C_Decrypt", "uayfy", "ay", false, decrypt},
	35: {"C_DecryptUpdate", "uayfy", "ay", false, decryptUpdate},
	36: {"C_DecryptFinal", "ufy", "ay", false, decryptFinal},
	37: {"C_DigestInit", "uM", "", false, digestInit},
	38: {"C_Digest", "uayfy", "ay", false, digest},
	39: {"C_DigestUpdate", "uay", "", false, digestUpdate},
	40: {"C_DigestKey", "uu", "", false, digestKey},
	41: {"C_DigestFinal", "ufy", "ay", false, digestFinal},
	42: {"C_SignInit", "uMu", "", false, signInit},
	43: {"C_Sign", "uayfy", "ay", false, sign},
	44: {"C_SignUpdate", "uay", "", false, signUpdate},
	45: {"C_SignFinal", "ufy", "ay", false, signFinal},
	46: {"C_SignRecoverInit", "uMu", "", false, recoverInit(signRecovering, mechanism.FlagSignRecover)},
	47: {"C_SignRecover", "uayfy", "ay", false, signRecover},
	48: {"C_VerifyInit", "uMu", "", false, verifyInit},
	49: {"C_Verify", "uayay", "", false, verify},
	50: {"C_VerifyUpdate", "uay", "", false, verifyUpdate},
	51: {"C_VerifyFinal", "uay", "", false, verifyFinal},
	52: {"C_VerifyRecoverInit", "uMu", "", false, recoverInit(verifyRecovering, mechanism.FlagVerifyRecover)},
	53: {"C_VerifyRecover", "uayfy", "ay", false, verifyRecover},
	54: {"C_DigestEncryptUpdate", "uayfy", "ay", false, digestEncryptUpdate},
	55: {"C_DecryptDigestUpdate", "uayfy", "ay", false, decryptDigestUpdate},
	56: {"C_SignEncryptUpdate", "uayfy", "ay", false, signEncryptUpdate},
	57: {"C_DecryptVerifyUpdate", "uayfy", "ay", false, decryptVerifyUpdate},
	58: {"C_GenerateKey", "uMaA", "u", false, generateKey},
	59: {"C_GenerateKeyPair", "uMaAaA", "uu", false, generateKeyPair},
	60: {"C_WrapKey", "uMuufy", "ay", false, wrapKey},
	61: {"C_UnwrapKey", "uMuayaA", "u", false, unwrapKey},
	62: {"C_DeriveKey", "uMuaA", "u", false, deriveKey},
	63: {"C_SeedRandom", "uay", "", false, seedRandom},
	64: {"C_GenerateRandom", "ufy", "ay", false, generateRandom},
	65: {"C_WaitForSlotEvent", "u", "u", false, waitForSlotEvent},

	// PKCS #11 3.0: from version 1 of the protocol on.
	66: {"C_LoginUser", "uuayay", "", false, loginUser},
	67: {"C_SessionCancel", "uu", "", false, sessionCancel},
	68: {"C_MessageEncryptInit", "uMu", "", false, messages},
	69: {"C_EncryptMessage", "uayayayfy", "ay", false, messages},
	70: {"C_EncryptMessageBegin", "uayay", "", false, messages},
	71: {"C_EncryptMessageNext", "uayayfyu", "ay", false, messages},
	72: {"C_MessageEncryptFinal", "u", "", false, messages},
	73: {"C_MessageDecryptInit", "uMu", "", false, messages},
	74: {"C_DecryptMessage", "uayayayfy", "ay", false, messages},
	75: {"C_DecryptMessageBegin", "uayay", "", false, messages},
	76: {"C_DecryptMessageNext", "uayayfyu", "ay", false, messages},
	77: {"C_MessageDecryptFinal", "u", "", false, messages},
	78: {"C_MessageSignInit", "uMu", "", false, messages},
	79: {"C_SignMessage", "uayayfy", "ay", false, messages},
	80: {"C_SignMessageBegin", "uay", "", false, messages},
	81: {"C_SignMessageNext", "uayayyfy", "ay", false, messages},
	82: {"C_MessageSignFinal", "u", "", false, messages},
	83: {"C_MessageVerifyInit", "uMu", "", false, messages},
	84: {"C_VerifyMessage", "uayayay", "", false, messages},
	85: {"C_VerifyMessageBegin", "uay", "", false, messages},
	86: {"C_VerifyMessageNext", "uayayay", "", false, messages},
	87: {"C_MessageVerifyFinal", "u", "", false, messages},
	88: {"C_InitToken2", "uays", "", false, initToken},

	// From version 2 on.
	89: {"C_DeriveKey2", "uMuaA", "uPu", false, deriveKey2},
}

// The messages among the calls, whose signatures differ between versions of
// the client, and where the calls of a version begin.
const (
	firstOfVersion1, firstOfVersion2 = 66, 89
	firstMessage, endMessage         = 68, 88
)

// lookup returns the call with a number and signature, if there is one in the
// version that was agreed on.
func lookup(id uint32, signature []byte, agreed byte) *call {
	switch {
	case int(id) >= len(calls) || calls[id].run == nil:
	case id >= firstOfVersion1 && agreed < 1, id >= firstOfVersion2 && agreed < 2:
	case calls[id].request == string(signature), firstMessage <= id && id < endMessage:
		return &calls[id]
	}
	return nil
}

// on is a handler of calls that begin with a session.
func on(f func(ctx context.Context, c *client, r *reader, w *writer) error) handler {
	return func(ctx context.Context, a *application, r *reader, w *writer) error {
		c, err := a.session(r.ulong())
		if err != nil {
			return err
		}
		return f(ctx, c, r, w)
	}
}
