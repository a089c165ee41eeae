"""Writes the fuzz targets' seeds into fuzz/corpus: the protocol's vectors, and one good example of all else."""

import json
import pathlib
import struct

TOP = pathlib.Path(__file__).resolve().parent
VECTORS = TOP.parent / "protocol" / "vectors"


def load(name):
    return json.loads((VECTORS / name).read_text())


def seed(target, items):
    folder = TOP / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    for number, item in enumerate(items):
        (folder / f"seed-{number:03}").write_bytes(item if isinstance(item, bytes) else item.encode())


challenges = load("challenges.json")["challenges"]
texts = load("texts.json")
identity = load("identity.json")
plaintexts = [bytes([v["purpose"]]) + bytes.fromhex(v["plaintext"]) for v in challenges]
seed("sealed", [bytes.fromhex(v["sealed"]) for v in load("refusals.json")["refusals"]] + plaintexts)
seed("plaintext", plaintexts)
seed("address", [v["typed"] for v in texts["addresses"]] + texts["addresses_refused"])
seed("code", [v["typed"] for v in texts["codes"]] + texts["codes_refused"])
links = [v["qr_text"] for v in challenges] + [v["text"] for v in texts["links_refused"]]
seed("link", links + [link.partition("#")[2] for link in links] + texts["hosts"] + texts["hosts_refused"])
requests = [identity["request"]] + [v["request"] for v in identity["requests_refused"]]
seed("identity", [json.dumps(item) for item in [*requests, identity["file"]]])
frames = [frame for kind, frames in load("platform.json").items() if kind.startswith("from_") for frame in frames]
seed("frame", [json.dumps(frame) for frame in frames] + ["https://cloud.example/add#LK-7/7K4MQ2XR"])
v4 = bytes([127, 0, 0, 1, 10, 0, 0, 2]) + struct.pack(">HH", 50000, 443)
v6 = bytes(15) + b"\1" + bytes(15) + b"\2" + struct.pack(">HH", 50000, 443)
proxied = [b"\x21\x11" + struct.pack(">H", len(v4)) + v4, b"\x21\x21" + struct.pack(">H", len(v6)) + v6, b"\x20\0\0\0"]
proxied.append(b"\x21\x11" + struct.pack(">H", len(v4) + 5) + v4 + b"\x04\0\2ab")
seed("proxy", proxied)
seed("form", ["password=a+b%20c&confirm=%C3%A4&accept=on", "code=0000+1234&form=" + "ab" * 32, "", "a=1&a=2"])
cookie = "__Host-latchkey-session=" + "0f" * 32
seed("headers", [cookie, cookie + "; a=b", "127.0.0.1:8443", "[::1]:443", "recorder.local", "/api/v1/device", "/"])
record = {
    "life": "01020304", "challenge_counter": 1, "password_phc": "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaA",
    "password_epoch": 1, "emails": [{"address": "owner@example.com", "confirmed": True}], "email_epoch": 1,
    "console": {"sign_in_failures": 0, "reset_tries": 0, "issued_in": None},
    "lan": {"sign_in_failures": 1, "reset_tries": 5, "issued_in": None}, "reset_to_tell": None,
}
seed("store", [json.dumps(record), "null"])
seed("settings", ["", '[device]\nserial = "LK-0001"\n', (TOP.parent / "board" / "base.toml").read_bytes()])
