"""Texts that people and links have: addresses, codes, digits, hosts, tags (docs/PROTOCOL.md 3 and 4)."""

import re

from primitives import need, sha256

ATOM = r"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+"
LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
WHITE = " \t\n\r\x0b\x0c\x85\xa0"


def parse_address(text):
    need(text.isascii() and 0 < len(text) <= 190 and text.count("@") == 1, "address")
    local, domain = text.split("@")
    need(len(local) <= 64 and len(domain) <= 253, "address")
    need(re.fullmatch(rf"{ATOM}(?:\.{ATOM})*", local), "address")
    labels = domain.split(".")
    need(len(labels) >= 2 and not labels[-1].isdigit(), "address")
    need(all(re.fullmatch(LABEL, label) and len(label) <= 63 for label in labels), "address")
    return text


def typed_address(text):
    local, at, domain = text.strip(WHITE).rpartition("@")
    return parse_address(local + at + (domain.lower() if domain.isascii() else domain))


def mask_part(part):
    return part[0] + "***" + (part[-1] if len(part) > 3 else "")


def masked(address):
    local, domain = address.split("@")
    *labels, top = domain.split(".")
    return mask_part(local) + "@" + ".".join([mask_part(label) for label in labels] + [top])


def parse_code(text):
    need(len(text) <= 64, "code")
    digits = ""
    for c in text:
        if c in "0123456789":
            digits += c
            continue
        point = ord(c)
        invisible = point in (0xAD, 0xFEFF) or 0x200B <= point <= 0x200F or 0x202A <= point <= 0x202E
        dash = c in "-.," or 0x2010 <= point <= 0x2015 or point == 0x2212
        need(dash or invisible or 0x2060 <= point <= 0x2069 or c.isspace(), "code")
    need(len(digits) == 8, "code")
    return int(digits)


WIDTH = {0: 0, 1: 3, 2: 5, 3: 8, 4: 10, 5: 13, 6: 15, 7: 17}


def to_digits(data):
    groups = [data[i : i + 7] for i in range(0, len(data), 7)]
    return "".join(str(int.from_bytes(group, "big")).zfill(WIDTH[len(group)]) for group in groups)


def from_digits(text):
    need(re.fullmatch("[0-9]*", text), "digits")
    size = {width: count for count, width in WIDTH.items()}
    data = b""
    for group in (text[i : i + 17] for i in range(0, len(text), 17)):
        need(len(group) in size, "digits")
        need(int(group) < 256 ** size[len(group)], "digits")
        data += int(group).to_bytes(size[len(group)], "big")
    return data


def parse_host(text):
    need(len(text) <= 57, "host")
    name, colon, port = text.partition(":")
    labels = name.split(".")
    need(all(re.fullmatch(LABEL, label) for label in labels), "host")
    if re.fullmatch(r"[0-9]+|0x[0-9a-f]*", labels[-1]):
        octet = r"(?:0|[1-9][0-9]{0,2})"
        need(re.fullmatch(rf"{octet}(?:\.{octet}){{3}}", name), "host")
        need(all(int(label) <= 255 for label in labels), "host")
    if colon:
        need(re.fullmatch("[1-9][0-9]{0,4}", port) and int(port) <= 65535 and port != "443", "host")
    return text


def parse_link(text):
    match = re.fullmatch(r"https://(.*?)/r#(.*)", text.strip(WHITE), re.S)
    need(match, "not_a_link")
    host, data = parse_host(match[1]), from_digits(match[2])
    need(len(data) in (247, 311, 375), "length")
    return host, data


def tag(sealed):
    bits = int.from_bytes(sha256(sealed)[:3], "big") >> 4
    return "".join("23456789ABCDEFGHJKLMNPQRSTUVWXYZ"[bits >> shift & 31] for shift in (15, 10, 5, 0))


# ISO/IEC 18004, table 7: data codewords of versions 10 to 17 at level M
QR_CODEWORDS_M = {10: 216, 11: 254, 12: 290, 13: 334, 14: 365, 15: 415, 16: 453, 17: 507}


def qr_version(text):
    prefix, mark, digits = text.partition("#")
    byte_bits = 4 + 16 + 8 * len(prefix + mark)
    numeric_bits = 4 + 12 + len(digits) // 3 * 10 + (0, 4, 7)[len(digits) % 3]
    return min(v for v, size in QR_CODEWORDS_M.items() if 8 * size >= byte_bits + numeric_bits)
