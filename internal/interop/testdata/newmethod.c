/*
 * Makes version 2.2.0 of yubico-piv-tool sign requests and certificates with
 * OpenSSL 3. The tool gives its key a method of its own, which asks the card,
 * after the key was put into its EVP_PKEY; OpenSSL 3 looks for such methods
 * only when a key is put there, and otherwise signs by itself, for which the
 * private key is missing. Here the key is put into another EVP_PKEY before it
 * is used.
 *
 * Preloaded by the tests: gcc -shared -fPIC -o newmethod.so newmethod.c -ldl
 */
#define _GNU_SOURCE
#include <dlfcn.h>

extern void *EVP_PKEY_new(void);
extern int EVP_PKEY_get_base_id(const void *pkey);
extern void *EVP_PKEY_get1_RSA(void *pkey), *EVP_PKEY_get1_EC_KEY(void *pkey);
extern int EVP_PKEY_set1_RSA(void *pkey, void *rsa), EVP_PKEY_set1_EC_KEY(void *pkey, void *ec);

enum { rsa = 6, ec = 408 };

static void *again(void *pkey)
{
	void *other = EVP_PKEY_new();
	switch (EVP_PKEY_get_base_id(pkey)) {
	case rsa:
		EVP_PKEY_set1_RSA(other, EVP_PKEY_get1_RSA(pkey));
		return other;
	case ec:
		EVP_PKEY_set1_EC_KEY(other, EVP_PKEY_get1_EC_KEY(pkey));
		return other;
	}
	return pkey;
}

typedef int signer(void *what, void *pkey, const void *md);

int X509_sign(void *what, void *pkey, const void *md)
{
	return ((signer *)dlsym(RTLD_NEXT, "X509_sign"))(what, again(pkey), md);
}

int X509_REQ_sign(void *what, void *pkey, const void *md)
{
	return ((signer *)dlsym(RTLD_NEXT, "X509_REQ_sign"))(what, again(pkey), md);
}
