"""HPKE by hand and Ed25519 verified strictly, for verify.py. Primitives come from the package `cryptography`."""

import hashlib
import hmac
import struct

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


class Refused(Exception):
    """Carries the name of the step that refused."""


def need(holds, step):
    if not holds:
        raise Refused(step)


def sha256(data):
    return hashlib.sha256(data).digest()


# HPKE, RFC 9180

KEM_SUITE = b"KEM" + struct.pack(">H", 0x0020)
HPKE_SUITE = b"HPKE" + struct.pack(">HHH", 0x0020, 0x0001, 0x0003)


def extract(salt, label, ikm, suite):
    return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite + label + ikm, "sha256")


def expand(prk, label, info, length, suite):
    info = struct.pack(">H", length) + b"HPKE-v1" + suite + label + info
    out, block, n = b"", b"", 1
    while len(out) < length:
        block = hmac.digest(prk, block + info + bytes([n]), "sha256")
        out, n = out + block, n + 1
    return out[:length]


def derive_secret_key(ikm):
    return expand(extract(b"", b"dkp_prk", ikm, KEM_SUITE), b"sk", b"", 32, KEM_SUITE)


def raw(public_key):
    return public_key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def x25519_public(secret):
    return raw(X25519PrivateKey.from_private_bytes(secret).public_key())


def shared(secret, public, enc, recipient):
    try:
        dh = X25519PrivateKey.from_private_bytes(secret).exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError:  # the library refuses a result of all zeros
        raise Refused("seal") from None
    need(dh != bytes(32), "seal")
    prk = extract(b"", b"eae_prk", dh, KEM_SUITE)
    return expand(prk, b"shared_secret", enc + recipient, 32, KEM_SUITE)


def schedule(secret, psk, psk_id, info):
    mode = b"\x01" if psk else b"\x00"
    context = mode + extract(b"", b"psk_id_hash", psk_id, HPKE_SUITE) + extract(b"", b"info_hash", info, HPKE_SUITE)
    prk = extract(secret, b"secret", psk, HPKE_SUITE)
    return expand(prk, b"key", context, 32, HPKE_SUITE), expand(prk, b"base_nonce", context, 12, HPKE_SUITE)


def nonce(base, sequence):
    return (int.from_bytes(base, "big") ^ sequence).to_bytes(12, "big")


def hpke_seal(ikm, recipient, psk, psk_id, info, aad, plaintext):
    secret = derive_secret_key(ikm)
    enc = x25519_public(secret)
    key, base = schedule(shared(secret, recipient, enc, recipient), psk, psk_id, info)
    return enc, ChaCha20Poly1305(key).encrypt(base, plaintext, aad)


def hpke_open(secret, enc, psk, psk_id, info, aad, ciphertext):
    key, base = schedule(shared(secret, enc, enc, x25519_public(secret)), psk, psk_id, info)
    try:
        return ChaCha20Poly1305(key).decrypt(base, ciphertext, aad)
    except InvalidTag:
        raise Refused("seal") from None


# Ed25519, strictly

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P


def decode_point(data):
    """The point's (x, y), or None if the encoding is not canonical or not on the curve."""
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= P:
        return None
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if v * x * x % P == -u % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if v * x * x % P != u or (x == 0 and sign):
        return None
    return (P - x if x & 1 != sign else x), y


def double(point):
    x, y = point
    t = D * x * x * y * y % P
    return 2 * x * y * pow(1 + t, -1, P) % P, (y * y + x * x) * pow(1 - t, -1, P) % P


def usable_point(data):
    point = decode_point(data)
    if point is None:
        return False
    return double(double(double(point))) != (0, 1)


def verify(public, message, signature, step):
    need(usable_point(public) and usable_point(signature[:32]), step)
    need(int.from_bytes(signature[32:], "little") < ORDER, step)
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature:
        raise Refused(step) from None
