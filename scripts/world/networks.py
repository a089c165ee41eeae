"""The networks around the emulated board: its own link, on which this process is a client, and a router
with a client behind it."""

import json
from pathlib import Path

from world import Trouble, run

ADDRESS, GATEWAY, BITS = "10.77.0.2", "10.77.0.1", 24
OURS = "10.77.0.5"
TAP = "tap0"


def ip(*arguments: str, log: Path, within: str = ""):
    """Runs `ip`, in a network namespace if one is named."""
    run("ip", *(("-n", within) if within else ()), *arguments, log=log)


def make_networks(log: Path):
    """In the network namespace that we are in: the board's own link as a bridge with the board's tap device
    and our own address on it, and a client `far` behind a router that does not masquerade."""
    ip("link", "set", "lo", "up", log=log)
    ip("link", "add", "link0", "type", "bridge", log=log)
    ip("address", "add", f"{OURS}/{BITS}", "dev", "link0", log=log)
    ip("link", "set", "link0", "up", log=log)
    ip("tuntap", "add", "dev", TAP, "mode", "tap", log=log)
    ip("link", "set", TAP, "up", "master", "link0", log=log)
    for name in ("router", "far"):
        ip("netns", "add", name, log=log)
        ip("link", "set", "lo", "up", log=log, within=name)
    ip("link", "add", "to-router", "type", "veth", "peer", "eth0", "netns", "router", log=log)
    ip("link", "set", "to-router", "up", "master", "link0", log=log)
    ip("link", "add", "eth1", "netns", "router", "type", "veth", "peer", "eth0", "netns", "far", log=log)
    places = (
        ("router", "eth0", f"{GATEWAY}/{BITS}"),
        ("router", "eth1", "10.88.0.1/24"),
        ("far", "eth0", "10.88.0.5/24"),
    )
    for name, device, address in places:
        ip("address", "add", address, "dev", device, log=log, within=name)
        ip("link", "set", device, "up", log=log, within=name)
    ip("route", "add", "default", "via", "10.88.0.1", log=log, within="far")
    run("ip", "netns", "exec", "router", "sysctl", "-q", "-w", "net.ipv4.ip_forward=1", log=log)


def ask_from_far(method: str, path: str, body: dict | None, log: Path) -> tuple[int, dict]:
    """One HTTPS request to the board from behind the router: status, JSON. Secrets go by standard input."""
    command = ["ip", "netns", "exec", "far", "curl", "--silent", "--show-error", "--insecure", "--max-time", "30"]
    command += ["--request", method, "--write-out", "\n%{http_code}"]
    if body is not None:
        command += ["--header", "Content-Type: application/json", "--data", "@-"]
    command.append(f"https://{ADDRESS}/api/v1{path}")
    answer = run(*command, log=log, input=json.dumps(body or {}))
    content, _, status = answer.rpartition("\n")
    if not status.isdigit():
        raise Trouble(f"curl behind the router said {answer!r}")
    return int(status), json.loads(content) if content.strip() else {}
