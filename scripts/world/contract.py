"""Holds what a service answers to the OpenAPI document that it serves itself. Every answer that a check
gets goes through here, so that the document is true where it is used."""

import json
import re
from urllib.parse import urlsplit

import jsonschema


class Broken(Exception):
    """What the document says, and what came instead."""


class Contract:
    """An OpenAPI 3.1 document."""

    def __init__(self, document: dict):
        self.document = document
        self.seen: set[str] = set()
        self.resolver = jsonschema.RefResolver.from_schema(document)
        version = document.get("openapi", "")
        if not version.startswith("3.1"):
            raise Broken(f"the document is of OpenAPI {version!r}, not 3.1")
        base = "".join(server["url"] for server in document.get("servers", [])[:1])
        self.base = urlsplit(base).path.rstrip("/")
        self.paths = [(self.pattern(path), path) for path in document["paths"]]
        self.check_document()

    def pattern(self, path: str) -> re.Pattern:
        """A path's template as a regular expression."""
        parts = re.split(r"\{[^}]+\}", self.base + path)
        return re.compile("[^/]+".join(re.escape(part) for part in parts))

    def check_document(self):
        """Every reference leads somewhere, every schema is one, every operation has a name of its own."""
        names = set()
        for path, operations in self.document["paths"].items():
            for method, operation in operations.items():
                if method in ("parameters", "summary", "description"):
                    continue
                where = f"{method.upper()} {path}"
                name = operation.get("operationId")
                if name and name in names:
                    raise Broken(f"{where}: its operationId is another operation's, too")
                names.add(name)
                for status, answer in operation["responses"].items():
                    if not self.follow(answer).get("description"):
                        raise Broken(f"{where}: {status} has no description")
        for schema in self.document.get("components", {}).get("schemas", {}).values():
            jsonschema.Draft202012Validator.check_schema(schema)
        self.follow_all(self.document)

    def follow_all(self, part):
        """Fails at a reference that leads nowhere."""
        if isinstance(part, dict):
            if isinstance(part.get("$ref"), str):
                self.resolver.resolve(part["$ref"])
            for value in part.values():
                self.follow_all(value)
        elif isinstance(part, list):
            for value in part:
                self.follow_all(value)

    def follow(self, part: dict) -> dict:
        """What a part or a reference to it says."""
        return self.resolver.resolve(part["$ref"])[1] if "$ref" in part else part

    def operation(self, method: str, path: str) -> dict:
        """What the document has on a request."""
        for pattern, name in self.paths:
            if pattern.fullmatch(path) and method.lower() in self.document["paths"][name]:
                self.seen.add(f"{method} {name}")
                return self.document["paths"][name][method.lower()]
        raise Broken(f"the document does not know {method} {path}")

    def check(self, method: str, path: str, sent: dict | None, answer):
        """Holds a request that was accepted, and any answer, to the document."""
        where = f"{method} {path}, answered {answer.status}"
        operation = self.operation(method, path)
        responses = operation["responses"]
        status = str(answer.status)
        said = responses.get(status) or responses.get(f"{status[0]}XX") or responses.get("default")
        if said is None:
            raise Broken(f"{where}: the document knows {', '.join(responses)}")
        content = self.follow(said).get("content", {})
        kind = answer.headers.get("content-type", "").split(";")[0]
        if not content and answer.content:
            raise Broken(f"{where}: the document has no content for it, but {len(answer.content)} bytes came")
        if content and kind not in content:
            raise Broken(f"{where}: the document has {', '.join(content)}, but {kind or 'nothing'} came")
        if content and "json" in kind:
            self.fits(json.loads(answer.content), content[kind].get("schema", {}), where)
        if answer.status < 300 and sent is not None:
            request = self.follow(operation["requestBody"])["content"]["application/json"]["schema"]
            self.fits(sent, request, f"{where}: what was sent")

    def fits(self, value, schema: dict, where: str):
        """Whether a value is of a schema."""
        validator = jsonschema.Draft202012Validator(schema, resolver=self.resolver)
        for error in validator.iter_errors(value):
            place = "/".join(map(str, error.absolute_path)) or "the whole"
            raise Broken(f"{where}: {place}: {error.message}")
