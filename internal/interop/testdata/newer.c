/* A client of PKCS #11 3.0: what no ready-made program calls. It prints what
 * went wrong and exits with 1. */
#include <dlfcn.h>
#include <p11-kit/pkcs11.h>
#include <stdio.h>
#include <string.h>

static int bad;

#define CHECK(call, want) do { \
	CK_RV got_ = (call); \
	if (got_ != (want)) { printf("line %d: %s: 0x%lx, not 0x%lx\n", __LINE__, #call, got_, (CK_RV)(want)); bad = 1; } \
} while (0)
#define THAT(what) do { if (!(what)) { printf("line %d: not so: %s\n", __LINE__, #what); bad = 1; } } while (0)

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
static CK_FUNCTION_LIST_3_0 *f;
static CK_SESSION_HANDLE s;

static CK_OBJECT_HANDLE aes(CK_ATTRIBUTE *more, CK_ULONG n)
{
	CK_ULONG length = 16;
	CK_ATTRIBUTE t[16] = {{CKA_VALUE_LEN, &length, sizeof length}, {CKA_TOKEN, &no, 1}};
	CK_MECHANISM gen = {CKM_AES_KEY_GEN, NULL, 0};
	CK_OBJECT_HANDLE key = 0;

	memcpy(t + 2, more, n * sizeof *more);
	CHECK(f->C_GenerateKey(s, &gen, t, n + 2, &key), CKR_OK);
	return key;
}

static void users(CK_UTF8CHAR *pin)
{
	CHECK(f->C_LoginUser(s, CKU_USER, pin, strlen((char *)pin), (CK_UTF8CHAR *)"joe", 3), CKR_USER_TYPE_INVALID);
	CHECK(f->C_LoginUser(s, CKU_USER, (CK_UTF8CHAR *)"0000", 4, NULL, 0), CKR_PIN_INCORRECT);
	CHECK(f->C_LoginUser(s, CKU_USER, pin, strlen((char *)pin), NULL, 0), CKR_OK);
	CHECK(f->C_LoginUser(s, CKU_USER, pin, strlen((char *)pin), NULL, 0), CKR_USER_ALREADY_LOGGED_IN);
}

static void cancel(void)
{
	CK_MECHANISM sha = {CKM_SHA256, NULL, 0};
	CHECK(f->C_DigestInit(s, &sha), CKR_OK);
	CHECK(f->C_DigestInit(s, &sha), CKR_OPERATION_ACTIVE);
	CHECK(f->C_SessionCancel(s, CKF_SIGN), CKR_OK);
	CHECK(f->C_DigestInit(s, &sha), CKR_OPERATION_ACTIVE);
	CHECK(f->C_SessionCancel(s, CKF_DIGEST), CKR_OK);
	CHECK(f->C_DigestInit(s, &sha), CKR_OK);
	CHECK(f->C_SessionCancel(s, CKF_DIGEST | CKF_FIND_OBJECTS), CKR_OK);
}

static void attributes(void)
{
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_AES;
	CK_ATTRIBUTE inner[] = {{CKA_CLASS, &class, sizeof class}, {CKA_KEY_TYPE, &type, sizeof type}, {CKA_EXTRACTABLE, &yes, 1}};
	CK_MECHANISM_TYPE allowed[] = {CKM_AES_CBC, CKM_AES_CBC_PAD};
	CK_ATTRIBUTE more[] = {
		{CKA_WRAP, &yes, 1}, {CKA_WRAP_TEMPLATE, inner, sizeof inner},
		{CKA_ALLOWED_MECHANISMS, allowed, sizeof allowed}, {CKA_DESTROYABLE, &no, 1},
	};
	CK_OBJECT_HANDLE key = aes(more, 4);

	CK_MECHANISM_TYPE got[4] = {0};
	CK_BBOOL destroyable = 7, wrap = 7;
	CK_ATTRIBUTE ask[] = {{CKA_ALLOWED_MECHANISMS, NULL, 0}, {CKA_DESTROYABLE, &destroyable, 1}, {CKA_WRAP, &wrap, 1}};
	CHECK(f->C_GetAttributeValue(s, key, ask, 3), CKR_OK);
	THAT(ask[0].ulValueLen == sizeof allowed);
	THAT(ask[1].ulValueLen == 1 && destroyable == CK_FALSE);
	THAT(ask[2].ulValueLen == 1 && wrap == CK_TRUE);
	ask[0].pValue = got;
	ask[0].ulValueLen = sizeof got;
	CHECK(f->C_GetAttributeValue(s, key, ask, 1), CKR_OK);
	THAT(ask[0].ulValueLen == sizeof allowed && memcmp(got, allowed, sizeof allowed) == 0);
	ask[0].ulValueLen = 8;
	CHECK(f->C_GetAttributeValue(s, key, ask, 1), CKR_BUFFER_TOO_SMALL);
	THAT(ask[0].ulValueLen == CK_UNAVAILABLE_INFORMATION);

	/* A nested template: how many, how long, and what. */
	CK_ATTRIBUTE nested[3];
	CK_ATTRIBUTE whole = {CKA_WRAP_TEMPLATE, NULL, 0};
	memset(nested, 0, sizeof nested);
	CHECK(f->C_GetAttributeValue(s, key, &whole, 1), CKR_OK);
	THAT(whole.ulValueLen == sizeof nested);
	whole.pValue = nested;
	whole.ulValueLen = sizeof nested;
	CHECK(f->C_GetAttributeValue(s, key, &whole, 1), CKR_OK);
	THAT(whole.ulValueLen == sizeof nested);
	CK_ULONG room[3] = {0};
	for (int i = 0; i < 3; i++) {
		THAT(nested[i].type == inner[i].type && nested[i].ulValueLen == inner[i].ulValueLen);
		nested[i].pValue = &room[i];
	}
	CHECK(f->C_GetAttributeValue(s, key, &whole, 1), CKR_OK);
	for (int i = 0; i < 3; i++)
		THAT(nested[i].ulValueLen == inner[i].ulValueLen && memcmp(&room[i], inner[i].pValue, inner[i].ulValueLen) == 0);

	CHECK(f->C_DestroyObject(s, key), CKR_ACTION_PROHIBITED);
}

static void ciphers(void)
{
	CK_ATTRIBUTE more[] = {{CKA_ENCRYPT, &yes, 1}, {CKA_DECRYPT, &yes, 1}};
	CK_OBJECT_HANDLE key = aes(more, 2);
	CK_BYTE iv[16] = {1, 2, 3}, aad[] = {4, 5}, in[20] = "twenty bytes of text", out[64], back[64];
	CK_AES_CTR_PARAMS ctr = {.ulCounterBits = 32};
	CK_GCM_PARAMS gcm = {.pIv = iv, .ulIvLen = 12, .ulIvBits = 96, .pAAD = aad, .ulAADLen = sizeof aad, .ulTagBits = 128};
	CK_MECHANISM all[] = {
		{CKM_AES_CBC_PAD, iv, sizeof iv}, {CKM_AES_CTR, &ctr, sizeof ctr}, {CKM_AES_GCM, &gcm, sizeof gcm}, {CKM_AES_CTS, iv, sizeof iv},
	};

	for (int i = 0; i < 4; i++) {
		CK_ULONG n = 0, m = sizeof back;
		CHECK(f->C_EncryptInit(s, &all[i], key), CKR_OK);
		CHECK(f->C_Encrypt(s, in, sizeof in, NULL, &n), CKR_OK);
		THAT(n >= sizeof in && n <= sizeof out);
		CK_ULONG small = 3;
		CHECK(f->C_Encrypt(s, in, sizeof in, out, &small), CKR_BUFFER_TOO_SMALL);
		n = sizeof out;
		CHECK(f->C_Encrypt(s, in, sizeof in, out, &n), CKR_OK);
		CHECK(f->C_DecryptInit(s, &all[i], key), CKR_OK);
		CHECK(f->C_Decrypt(s, out, n, back, &m), CKR_OK);
		THAT(m == sizeof in && memcmp(in, back, m) == 0);
	}
	/* A NULL mechanism ends the operation that is active. */
	CHECK(f->C_EncryptInit(s, &all[0], key), CKR_OK);
	CHECK(f->C_EncryptInit(s, NULL, 0), CKR_OK);
	CHECK(f->C_EncryptInit(s, &all[0], key), CKR_OK);
	CHECK(f->C_SessionCancel(s, CKF_ENCRYPT), CKR_OK);
	CHECK(f->C_MessageEncryptInit(s, &all[2], key), CKR_FUNCTION_NOT_SUPPORTED);
}

static void macs(void)
{
	static CK_MECHANISM_TYPE hmacs[] = {CKM_SHA_1_HMAC_GENERAL, CKM_SHA256_HMAC_GENERAL, CKM_SHA384_HMAC_GENERAL, CKM_SHA512_HMAC_GENERAL, CKM_SHA512_224_HMAC_GENERAL};
	CK_ATTRIBUTE uses[] = {{CKA_SIGN, &yes, 1}, {CKA_VERIFY, &yes, 1}};
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_GENERIC_SECRET;
	CK_BYTE value[32] = {9, 8, 7}, in[] = "authentic", out[64];
	CK_ATTRIBUTE secret[] = {
		{CKA_CLASS, &class, sizeof class}, {CKA_KEY_TYPE, &type, sizeof type}, {CKA_VALUE, value, sizeof value},
		{CKA_SIGN, &yes, 1}, {CKA_VERIFY, &yes, 1}, {CKA_TOKEN, &no, 1},
	};
	CK_OBJECT_HANDLE key = 0;
	CK_ULONG length = 12;

	CHECK(f->C_CreateObject(s, secret, 6, &key), CKR_OK);
	for (int i = 0; i < 6; i++) {
		CK_MECHANISM m = {i < 5 ? hmacs[i] : CKM_AES_CMAC_GENERAL, &length, sizeof length};
		CK_OBJECT_HANDLE k = i < 5 ? key : aes(uses, 2);
		CK_ULONG n = sizeof out;
		CHECK(f->C_SignInit(s, &m, k), CKR_OK);
		CHECK(f->C_Sign(s, in, sizeof in, out, &n), CKR_OK);
		THAT(n == length);
		CHECK(f->C_VerifyInit(s, &m, k), CKR_OK);
		CHECK(f->C_Verify(s, in, sizeof in, out, n), CKR_OK);
	}
}

static void keys(void)
{
	CK_ATTRIBUTE wrapping[] = {{CKA_WRAP, &yes, 1}, {CKA_UNWRAP, &yes, 1}};
	CK_ATTRIBUTE wrapped[] = {{CKA_EXTRACTABLE, &yes, 1}, {CKA_SENSITIVE, &no, 1}, {CKA_DERIVE, &yes, 1}};
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_AES, generic = CKK_GENERIC_SECRET;
	CK_ULONG length = 32;
	CK_ATTRIBUTE back[] = {{CKA_CLASS, &class, sizeof class}, {CKA_KEY_TYPE, &type, sizeof type}, {CKA_TOKEN, &no, 1}};
	CK_ATTRIBUTE derived[] = {
		{CKA_CLASS, &class, sizeof class}, {CKA_KEY_TYPE, &generic, sizeof generic}, {CKA_TOKEN, &no, 1},
		{CKA_VALUE_LEN, &length, sizeof length}, {CKA_SENSITIVE, &no, 1}, {CKA_EXTRACTABLE, &yes, 1},
	};
	CK_BYTE iv[16] = {1}, out[64], value[64];
	CK_GCM_PARAMS gcm = {.pIv = iv, .ulIvLen = 12, .ulIvBits = 96, .ulTagBits = 128};
	CK_MECHANISM seal = {CKM_AES_GCM, &gcm, sizeof gcm}, sha = {CKM_SHA256_KEY_DERIVATION, NULL, 0};
	CK_OBJECT_HANDLE by = aes(wrapping, 2), key = aes(wrapped, 3), other = 0;
	CK_ULONG n = 0;

	CHECK(f->C_WrapKey(s, &seal, by, key, NULL, &n), CKR_OK);
	THAT(n == 32);
	n = 3;
	CHECK(f->C_WrapKey(s, &seal, by, key, out, &n), CKR_BUFFER_TOO_SMALL);
	n = sizeof out;
	CHECK(f->C_WrapKey(s, &seal, by, key, out, &n), CKR_OK);
	CHECK(f->C_UnwrapKey(s, &seal, by, out, n, back, 3, &other), CKR_OK);
	THAT(other != 0 && other != key);
	CHECK(f->C_DeriveKey(s, &sha, key, derived, 6, &other), CKR_OK);
	CK_ATTRIBUTE ask = {CKA_VALUE, value, sizeof value};
	CHECK(f->C_GetAttributeValue(s, other, &ask, 1), CKR_OK);
	THAT(ask.ulValueLen == length);
	CHECK(f->C_DeriveKey(s, &sha, by, derived, 6, &other), CKR_KEY_FUNCTION_NOT_PERMITTED);
}

int main(int argc, char **argv)
{
	void *module = argc == 3 ? dlopen(argv[1], RTLD_NOW) : NULL;
	if (!module) {
		printf("no module: %s\n", dlerror());
		return 1;
	}
	CK_RV (*get)(CK_UTF8CHAR *, CK_VERSION *, CK_INTERFACE **, CK_FLAGS) = dlsym(module, "C_GetInterface");
	CK_INTERFACE *interface;
	CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};
	CK_SLOT_ID slots[4];
	CK_ULONG n = 4;

	CHECK(get((CK_UTF8CHAR *)"PKCS 11", NULL, &interface, 0), CKR_OK);
	if (bad)
		return 1;
	f = interface->pFunctionList;
	CHECK(f->C_Initialize(&args), CKR_OK);
	CHECK(f->C_GetSlotList(CK_TRUE, slots, &n), CKR_OK);
	CHECK(f->C_OpenSession(slots[0], CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &s), CKR_OK);
	if (bad)
		return 1;
	users((CK_UTF8CHAR *)argv[2]);
	cancel();
	attributes();
	ciphers();
	macs();
	keys();
	CHECK(f->C_Finalize(NULL), CKR_OK);
	return bad;
}
