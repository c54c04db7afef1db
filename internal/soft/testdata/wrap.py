# Makes rsa_aes_key_wrap.json with Python's cryptography package
# (python3-cryptography in Debian), which is OpenSSL.
import json
import os

from cryptography.hazmat.primitives import hashes, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

here = os.path.dirname(os.path.abspath(__file__))
DIGESTS = {"SHA-1": hashes.SHA1, "SHA-256": hashes.SHA256, "SHA-384": hashes.SHA384, "SHA-512": hashes.SHA512}


def pkcs8(key):
    return key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def save(name, cases):
    with open(os.path.join(here, name), "w") as f:
        json.dump(cases, f, indent=1)
        f.write("\n")


def targets():
    yield os.urandom(1)
    yield os.urandom(19)
    yield os.urandom(32)
    yield pkcs8(ec.generate_private_key(ec.SECP256R1()))


def rsa_aes():
    for bits, size, digest, mgf, label in (
        (2048, 128, "SHA-1", "SHA-1", b""),
        (2048, 256, "SHA-256", "SHA-256", b""),
        (3072, 192, "SHA-384", "SHA-1", b"label"),
        (3072, 256, "SHA-512", "SHA-256", b""),
    ):
        key = rsa.generate_private_key(65537, bits)
        for value in targets():
            oaep = padding.OAEP(padding.MGF1(DIGESTS[mgf]()), DIGESTS[digest](), label or None)
            temporary = os.urandom(size // 8)
            head = key.public_key().encrypt(temporary, oaep)
            wrapped = head + keywrap.aes_key_wrap_with_padding(temporary, value)
            yield {
                "key": pkcs8(key).hex(), "keyBits": size, "hash": digest, "mgf": mgf, "label": label.hex(),
                "value": value.hex(), "wrapped": wrapped.hex(),
            }


save("rsa_aes_key_wrap.json", list(rsa_aes()))
