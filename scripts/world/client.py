"""The JSON APIs of recorder and cloud over HTTPS, as a program on the same network would use them."""

import http.client
import json
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field

from contract import Contract
from world import Trouble


@dataclass
class Answer:
    """What came back."""

    status: int
    content: bytes
    headers: dict[str, str] = field(default_factory=dict)

    def json(self) -> dict:
        """The content as JSON."""
        return json.loads(self.content)

    def problem(self) -> str:
        """The name of the problem, as in RFC 9457 `type`: `urn:latchkey:problem:<name>`."""
        if not self.headers.get("content-type", "").startswith("application/problem+json"):
            raise Trouble(f"status {self.status} without a problem document: {self.content[:200]!r}")
        return self.json()["type"].removeprefix("urn:latchkey:problem:")


def ask(port: int, method: str, path: str, body: dict | None = None, **more) -> Answer:
    """One HTTPS request on a connection of its own, to this machine or to `host`. `certificate` (DER) is
    the only one that will do; without it, any will. `headers` are added."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # the exact certificate is compared below instead
    connection = http.client.HTTPSConnection(more.get("host", "127.0.0.1"), port, timeout=60, context=context)
    try:
        connection.connect()
        wanted = more.get("certificate")
        if wanted is not None and connection.sock.getpeercert(binary_form=True) != wanted:
            raise Trouble(f"port {port} shows another certificate than the one that was made for it")
        headers, content = dict(more.get("headers", {})), None
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = json.dumps(body)
        connection.request(method, path, body=content, headers=headers)
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, response.read(), found)
    finally:
        connection.close()


class Api:
    """A JSON API, held to its own OpenAPI document at every answer."""

    def __init__(self, port: int, certificate: Callable[[], bytes | None] = lambda: None, host: str = "127.0.0.1"):
        self.port, self.certificate, self.host = port, certificate, host
        self.session: str | None = None
        document = ask(port, "GET", "/api/v1/openapi.json", certificate=certificate(), host=host)
        self.contract = Contract(document.json())

    def ask(self, method: str, path: str, body: dict | None = None) -> Answer:
        """One request, in the session if there is one."""
        headers = {"Authorization": f"Bearer {self.session}"} if self.session else {}
        path = f"/api/v1{path}"
        answer = ask(self.port, method, path, body, headers=headers, certificate=self.certificate(), host=self.host)
        self.contract.check(method, path, body, answer)
        return answer

    def must(self, method: str, path: str, body: dict | None = None) -> Answer:
        """As `ask`, but anything else than success is trouble."""
        answer = self.ask(method, path, body)
        if not 200 <= answer.status < 300:
            raise Trouble(f"{method} {path} was answered {answer.status}: {answer.content.decode(errors='replace')}")
        return answer

    def refused(self, method: str, path: str, body: dict | None, problem: str) -> dict:
        """As `ask`, but must be refused with this problem, whose document it gives."""
        answer = self.ask(method, path, body)
        if answer.status < 400 or answer.problem() != problem:
            raise Trouble(f"{method} {path} should be refused with {problem}, not {answer.status}: {answer.content!r}")
        return answer.json()
