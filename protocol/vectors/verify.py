#!/usr/bin/env python3
"""Checks every vector in this folder with an implementation of its own, written from docs/PROTOCOL.md.

Primitives come from the package `cryptography`; HPKE is in primitives.py, texts are in
texts.py, the other formats and all rules are here.
"""

import base64
import json
import pathlib
import re
import struct
import sys

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

sys.dont_write_bytecode = True  # this folder holds vectors, nothing else

from primitives import (  # noqa: E402: after the switch above
    Refused, derive_secret_key, hpke_open, hpke_seal, need, nonce, raw, schedule, sha256, shared, usable_point,
    verify, x25519_public,
)
from texts import (  # noqa: E402: after the switch above
    from_digits, masked, parse_address, parse_code, parse_host, parse_link, qr_version, tag, to_digits,
    typed_address,
)

HERE = pathlib.Path(__file__).resolve().parent


# Plaintext and sealed challenge

INFO = b"latchkey/v1 challenge"
PREFIX = b"latchkey/v1\0"


def block_for(length):
    sizes = [size for size in (64, 128, 192) if size >= length]
    need(sizes, "plaintext")
    return sizes[0]


def encode(v, signer):
    flags = (1 if v["door"] == "lan" else 0) | (2 if v["confirmed"] else 0)
    fixed = bytes.fromhex(v["id"]) + struct.pack(">I", v["field"]) + bytes.fromhex(v["life"])
    fixed += struct.pack(">IBqBh", v["counter"], flags, v["device_time_unix_s"], 0, v["tz_offset_min"]) + signer
    block = bytes([len(v["addresses"])])
    for address in v["addresses"]:
        block += bytes([len(address)]) + address.encode()
    return fixed + block.ljust(block_for(len(block)), b"\0")


def decode(purpose, data):
    def rule(holds):
        need(holds, "plaintext")

    (field,) = struct.unpack_from(">I", data, 16)
    counter, flags, time, locale, tz = struct.unpack_from(">IBqBh", data, 24)
    rule({1: field < 10**8, 2: field < 10**8, 3: field < 10**8, 4: field in (1, 2), 5: field == 0}[purpose])
    rule(flags <= 3 and locale == 0 and -840 <= tz <= 840)
    count, at, addresses = data[56], 57, []
    rule(count in (1, 2))
    for _ in range(count):
        rule(at < len(data) and at + 1 + data[at] <= len(data))
        text = data[at + 1 : at + 1 + data[at]]
        at += 1 + data[at]
        try:
            addresses.append(parse_address(text.decode("ascii")))
        except (Refused, UnicodeDecodeError):
            raise Refused("plaintext") from None
    rule(len(set(addresses)) == count)
    rule(len(data) == 56 + block_for(at - 56) and not any(data[at:]))
    fields = {
        "id": data[:16].hex(), "purpose": purpose, "field": field, "life": data[20:24].hex(), "counter": counter,
        "door": "lan" if flags & 1 else "console", "confirmed": bool(flags & 2), "device_time_unix_s": time,
        "locale": "en", "tz_offset_min": tz, "addresses": addresses,
    }
    return fields, data[40:56]


def read(sealed, cloud, device, psk):
    """Section 2.5."""
    need(len(sealed) in (247, 311, 375), "length")
    need(sealed[:2] == b"\1\1", "version")
    need(1 <= sealed[2] <= 5, "purpose")
    secret = bytes.fromhex(cloud["secret_key"])
    need(sealed[3:7] == sha256(x25519_public(secret))[:4], "unknown")
    need(sealed[7:15].hex() == device["handle"], "unknown")
    public = bytes.fromhex(device["public_key"])
    verify(public, PREFIX + sealed[:-64], sealed[-64:], "signature")
    psk_id = sealed[7:15] if psk else b""
    plaintext = hpke_open(secret, sealed[15:47], psk, psk_id, INFO, sealed[:15], sealed[47:-64])
    fields, signer = decode(sealed[2], plaintext)
    need(signer == sha256(public)[:16], "signer")
    return fields


# Identity

INVISIBLE = [
    (0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F),
    (0x200B, 0x200F), (0x2028, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0), (0xFFF0, 0xFFFB), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
]


def printable(c):
    point = ord(c)
    control = point < 0x20 or 0x7F <= point < 0xA0
    return not control and not any(low <= point <= high for low, high in INVISIBLE)


def read_request(request):
    need(set(request) == {"version", "serial", "model", "public_key", "proof"}, "json")
    need(request["version"] == 1, "version")
    need(re.fullmatch("[A-Za-z0-9-]{1,32}", request["serial"]), "serial")
    need(1 <= len(request["model"]) <= 64 and all(map(printable, request["model"])), "model")
    public = bytes.fromhex(request["public_key"])
    need(usable_point(public), "public_key")
    message = b"latchkey/v1 identity request\0" + request["serial"].encode() + b"\0" + request["model"].encode()
    verify(public, message, bytes.fromhex(request["proof"]), "proof")


# Platform link

LETTERS = r"[A-Za-z0-9-]{1,32}"
STATES = ("queued", "accepted", "bounced", "failed")
REFUSALS = ("revoked", "unknown", "duplicate", "version", "busy")


def is_whole(low, high):
    return lambda v: isinstance(v, int) and not isinstance(v, bool) and low <= v < high


def is_text(pattern):
    return lambda v: isinstance(v, str) and re.fullmatch(pattern, v) is not None


def is_list(holds, most):
    return lambda v: isinstance(v, list) and len(v) <= most and all(map(holds, v))


def is_model(v):
    return isinstance(v, str) and 1 <= len(v) <= 64 and all(map(printable, v))


def is_sealed(v):
    try:
        return len(from_digits(v)) in (247, 311, 375)
    except (Refused, TypeError):
        return False


def are_capabilities(v):
    return is_list(is_text("[a-z0-9-]{1,32}"), 16)(v) and len(set(v)) == len(v)


u32, i64, anything = is_whole(0, 2**32), is_whole(-(2**63), 2**63), is_text("(?s:.*)")
relay, key = is_text("[0-9a-fA-F]{32}"), is_text("[0-9a-fA-F]{64}")
optional = {"retry_after_s": u32, "reason": anything, "adding": key}
mail = {"relay": relay, "state": lambda v: v in STATES}
FROM_DEVICE = {
    "register": {
        "serial": is_text(LETTERS), "model": is_model, "version": is_text(r"[A-Za-z0-9.+\-_~]{1,32}"),
        "capabilities": are_capabilities,
    },
    "submit": {"id": u32, "sealed": is_sealed},
    "resend": {"id": u32, "relay": relay},
    "renew": {"id": u32},
}
FROM_CLOUD = {
    "registered": {"unix_time_s": i64, "heartbeat_s": u32, "reconnect_window_s": u32},
    "refused": {"reason": lambda v: v in REFUSALS},
    "submitted": {"id": u32} | mail,
    "rejected": {"id": u32, "problem": anything},
    "mail": mail,
    "renewed": {"id": u32, "certificate": lambda v: anything(v) and len(v.encode()) <= 6144},
    "keys": {
        "serial": is_whole(0, 2**64), "cloud_keys": is_list(key, 10**9), "signing_keys": is_list(key, 10**9),
        "signature": is_text("[0-9a-fA-F]{128}"),
    },
    "reconnect": {"window_s": u32},
}


def read_message(kinds, message):
    need(isinstance(message.get("type"), str) and message["type"] in kinds, "malformed")
    rules = kinds[message["type"]]
    for member, holds in rules.items():
        need(member in message and holds(message[member]), "malformed")
    for member, holds in optional.items():
        need(member in rules or member not in message or holds(message[member]), "malformed")
    need("capabilities" not in message or are_capabilities(message["capabilities"]), "malformed")


def add_proof(serial, code):
    need(is_text(LETTERS)(serial) and is_text("[A-Za-z0-9]{6,12}")(code), "adding")
    return sha256(b"latchkey/v1 adding\0" + serial.encode() + b"\0" + code.upper().encode()).hex()


def signed_by_one(keys, message, signature, step):
    for public in keys:
        try:
            return verify(bytes.fromhex(public), message, bytes.fromhex(signature), step)
        except Refused:
            continue
    raise Refused(step)


def read_time(keys, drawn, time):
    message = b"latchkey/v1 time\0" + bytes.fromhex(drawn) + struct.pack(">q", time["unix_time_s"])
    signed_by_one(keys, message, time["signature"], "signature")


def can_receive(public):
    try:
        return shared(derive_secret_key(bytes(32)), public, b"", b"") is not None
    except Refused:
        return False


def read_keys(keys, host, current, trusted):
    cloud, signing = [[bytes.fromhex(k) for k in keys[kind]] for kind in ("cloud_keys", "signing_keys")]
    need(1 <= len(cloud) <= 8 and 1 <= len(signing) <= 8, "keys")
    need(all(map(can_receive, cloud)) and all(map(usable_point, signing)), "keys")
    message = b"latchkey/v1 keys\0" + struct.pack(">QB", keys["serial"], len(host)) + host.encode()
    message += bytes([len(cloud)]) + b"".join(cloud) + bytes([len(signing)]) + b"".join(signing)
    signed_by_one(trusted, message, keys["signature"], "signature")
    need(keys["serial"] > current, "old")


# The checks

checked = 0


def agree(mine, theirs, what):
    global checked
    checked += 1
    if mine != theirs:
        sys.exit(f"{what}: this implementation has {mine!r}, the vector {theirs!r}")


def refusal(function, *arguments):
    try:
        function(*arguments)
    except Refused as refused:
        return str(refused)
    return None


def load(name):
    return json.loads((HERE / name).read_text())


def check_rfc9180():
    for v in load("rfc9180.json")["vectors"]:
        data = {name: bytes.fromhex(text) for name, text in v.items() if isinstance(text, str)}
        secret = derive_secret_key(data["ikmE"])
        agree(secret.hex(), v["skEm"], "RFC 9180 skEm")
        agree(derive_secret_key(data["ikmR"]).hex(), v["skRm"], "RFC 9180 skRm")
        enc = x25519_public(secret)
        agree(enc.hex(), v["enc"], "RFC 9180 enc")
        secret = shared(secret, data["pkRm"], enc, data["pkRm"])
        key, base = schedule(secret, data.get("psk", b""), data.get("psk_id", b""), data["info"])
        agree(key.hex(), v["key"], "RFC 9180 key")
        for e in v["encryptions"]:
            sealed = ChaCha20Poly1305(key).encrypt(
                nonce(base, e["sequence"]), bytes.fromhex(e["pt"]), bytes.fromhex(e["aad"])
            )
            agree(sealed.hex(), e["ct"], f"RFC 9180 encryption {e['sequence']}")


def check_challenges():
    vectors = load("challenges.json")
    cloud, device = vectors["cloud"], vectors["device"]
    cloud_public = x25519_public(bytes.fromhex(cloud["secret_key"]))
    agree(cloud_public.hex(), cloud["public_key"], "cloud key")
    agree(sha256(cloud_public)[:4].hex(), cloud["key_id"], "key id")
    signing = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(device["signing_seed"]))
    public = raw(signing.public_key())
    agree(public.hex(), device["public_key"], "device key")
    signer = sha256(public)[:16]
    agree(signer.hex(), device["signer_hash"], "signer hash")
    handle = bytes.fromhex(device["handle"])
    for v in vectors["challenges"]:
        name = v["name"]
        plaintext = encode(v, signer)
        agree(plaintext.hex(), v["plaintext"], f"{name}: plaintext")
        header = bytes([1, 1, v["purpose"]]) + sha256(cloud_public)[:4] + handle
        agree(header.hex(), v["header"], f"{name}: header")
        psk, psk_id = (bytes.fromhex(device["psk"]), handle) if v["mode"] == "psk" else (b"", b"")
        ikm = bytes.fromhex(v["ephemeral_ikm"])
        enc, ciphertext = hpke_seal(ikm, cloud_public, psk, psk_id, INFO, header, plaintext)
        agree(enc.hex(), v["enc"], f"{name}: enc")
        agree(ciphertext.hex(), v["ciphertext"], f"{name}: ciphertext")
        signed = header + enc + ciphertext
        sealed = signed + signing.sign(PREFIX + signed)
        agree(sealed[-64:].hex(), v["signature"], f"{name}: signature")
        agree(tag(sealed), v["tag"], f"{name}: tag")
        text = f"https://{v['host']}/r#{to_digits(sealed)}"
        agree(text, v["qr_text"], f"{name}: QR text")
        agree(qr_version(text), v["qr_version"], f"{name}: QR version")
        agree(parse_link(v["qr_text"]), (v["host"], sealed), f"{name}: link read back")
        fields = read(sealed, cloud, device, psk)
        agree(fields, {field: v[field] for field in fields}, f"{name}: read back")


def check_refusals():
    vectors = load("refusals.json")
    psk = bytes.fromhex(vectors["device"]["psk"])
    way = (vectors["cloud"], vectors["device"], psk)
    agree(refusal(read, bytes.fromhex(vectors["accepted"]), *way), None, "the challenge that is accepted")
    for v in vectors["refusals"]:
        agree(refusal(read, bytes.fromhex(v["sealed"]), *way), v["refused"], v["name"])


def check_texts():
    vectors = load("texts.json")
    for v in vectors["tags"]:
        agree(tag(bytes.fromhex(v["bytes"])), v["tag"], "tag")
    for v in vectors["digits"]:
        agree(to_digits(bytes.fromhex(v["bytes"])), v["digits"], "digits")
        agree(from_digits(v["digits"]).hex(), v["bytes"], "digits read back")
    for text in vectors["digits_refused"]:
        agree(refusal(from_digits, text), "digits", text)
    for v in vectors["codes"]:
        agree(parse_code(v["typed"]), v["number"], v["typed"])
    for text in vectors["codes_refused"]:
        agree(refusal(parse_code, text), "code", text)
    for v in vectors["addresses"]:
        address = typed_address(v["typed"])
        agree(address, v["address"], v["typed"])
        agree(masked(address), v["masked"], v["typed"])
    for text in vectors["addresses_refused"]:
        agree(refusal(typed_address, text), "address", text)
    for text in vectors["hosts"]:
        agree(refusal(parse_host, text), None, text)
    for text in vectors["hosts_refused"]:
        agree(refusal(parse_host, text), "host", text)
    for v in vectors["links_refused"]:
        agree(refusal(parse_link, v["text"]), v["refused"], v["name"])


def check_identity():
    vectors = load("identity.json")
    agree(refusal(read_request, vectors["request"]), None, "the identity request")
    agree(vectors["request"]["public_key"], vectors["device"]["public_key"], "the request's key")
    for v in vectors["requests_refused"]:
        agree(refusal(read_request, v["request"]), v["refused"], v["request"])
    file = vectors["file"]
    members = "version handle serial model public_key certificate psk cloud_keys signing_keys server_roots host mailbox"
    agree(set(file), set(members.split()), "the identity file's members")
    agree(parse_host(file["host"]), file["host"], "the identity file's host")


def write_claim(secret, root_der):
    letters = base64.b32encode(secret + sha256(root_der)[:10]).decode()
    return "-".join(letters[at : at + 4] for at in range(0, 32, 4))


def read_claim(text):
    need(text.isascii(), "claim")
    letters = text.replace("-", "").replace(" ", "").upper().replace("0", "O").replace("1", "I")
    if not re.fullmatch("[A-Z2-7]{32}", letters, re.ASCII):
        raise Refused("claim")
    return base64.b32decode(letters)


def check_platform():
    vectors = load("platform.json")
    for side, kinds in (("from_device", FROM_DEVICE), ("from_cloud", FROM_CLOUD)):
        for message in vectors[side]:
            agree(refusal(read_message, kinds, message), None, message)
        for message in vectors[f"{side}_refused"]:
            agree(refusal(read_message, kinds, message), "malformed", message)
    for v in vectors["times"]:
        agree(refusal(read_time, v["keys"], v["nonce"], v["time"]) is None, v["taken"], v["name"])
    for v in vectors["key_lists"]:
        agree(refusal(read_keys, v["list"], v["host"], v["current"], v["trusted"]), v["refused"], v["name"])
    claims = vectors["claims"]
    for v in claims["made"]:
        secret = bytes.fromhex(v["secret"])
        agree(write_claim(secret, bytes.fromhex(v["root_der"])), v["code"], "a claim code")
        agree(read_claim(v["code"])[:10].hex(), v["secret"], "a claim code's secret")
        agree(sha256(secret).hex(), v["digest"], "what a cloud keeps of a claim")
    for text in claims["typed"]:
        agree(read_claim(text), read_claim(claims["code"]), text)
    for text in claims["refused"]:
        agree(refusal(read_claim, text), "claim", text)
    for v in vectors["adding"]["made"]:
        agree(add_proof(v["serial"], v["code"]), v["adding"], v)
    for v in vectors["adding"]["refused"]:
        agree(refusal(add_proof, v["serial"], v["code"]), "adding", v)


check_rfc9180()
check_challenges()
check_refusals()
check_texts()
check_identity()
check_platform()
print(f"{checked} vectors agree")
