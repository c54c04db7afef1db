# Makes rsa_aes_key_wrap.json and ecdh_aes_key_wrap.json with Python's
# cryptography package (python3-cryptography in Debian), which is OpenSSL.
import json
import os

from cryptography.hazmat.primitives import hashes, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, x25519
from cryptography.hazmat.primitives.kdf.x963kdf import X963KDF

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


def ecdh_aes():
    for curve, size, digest, shared in (
        (ec.SECP256R1(), 128, None, b""),
        (ec.SECP256R1(), 256, "SHA-256", b"shared data"),
        (ec.SECP384R1(), 192, "SHA-384", b""),
        (ec.SECP521R1(), 256, None, b""),
        (ec.SECP521R1(), 256, "SHA-512", b"\0\1\2"),
        ("X25519", 256, "SHA-256", b""),
        ("X25519", 128, None, b""),
    ):
        for value in targets():
            if curve == "X25519":
                key, transport = x25519.X25519PrivateKey.generate(), x25519.X25519PrivateKey.generate()
                secret = transport.exchange(key.public_key())
                point = transport.public_key().public_bytes_raw()
            else:
                key, transport = ec.generate_private_key(curve), ec.generate_private_key(curve)
                secret = transport.exchange(ec.ECDH(), key.public_key())
                point = transport.public_key().public_bytes(
                    serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
            if digest:
                temporary = X963KDF(DIGESTS[digest](), size // 8, shared).derive(secret)
            else:
                temporary = secret[: size // 8]
            yield {
                "key": pkcs8(key).hex(), "keyBits": size, "hash": digest or "", "shared": shared.hex(),
                "value": value.hex(), "wrapped": (point + keywrap.aes_key_wrap_with_padding(temporary, value)).hex(),
            }


save("rsa_aes_key_wrap.json", list(rsa_aes()))
save("ecdh_aes_key_wrap.json", list(ecdh_aes()))
