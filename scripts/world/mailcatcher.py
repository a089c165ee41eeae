#!/usr/bin/python3
"""A mailbox for everybody: takes every mail by SMTP and shows it in a browser. For a developer's
machine: it listens on the loopback interface only, keeps mails in memory and forgets them at its end.

    mailcatcher.py --smtp 2525 --http 8025

Mail to an address that begins with `bounce` is refused for good, and with `later` for now, so that
both can be seen from the sender's side. With `--deliver ADDRESS MAILDIR` mail to that address goes into a
Maildir instead, as a mail server delivers it. Besides the pages there is a JSON door:

    GET /api/mails                    all mails, newest last
    GET /api/mails?after=3&wait_s=20  those with an id above 3, waiting until there is one
"""

import argparse
import email
import email.policy
import html
import json
import mailbox
import signal
import sys
import threading
import time
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from aiosmtpd.controller import Controller

MAIL_BYTES_MAX = 1 << 20
MAILS_MAX = 1000
WAIT_S_MAX = 60


class Mail:
    """One mail, parsed once."""

    def __init__(self, number: int, sender: str, recipients: list[str], content: bytes):
        message = email.message_from_bytes(content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        self.number = number
        self.received = time.strftime("%H:%M:%S")
        self.sender = sender
        self.recipients = recipients
        self.subject = str(message["subject"] or "(no subject)")
        self.headers = [(name, str(value)) for name, value in message.items()]
        self.text = body(message, "plain")
        self.html = body(message, "html")
        self.source = content

    def as_json(self) -> dict:
        """The form of the JSON door."""
        return {
            "id": self.number,
            "received": self.received,
            "from": self.sender,
            "to": self.recipients,
            "subject": self.subject,
            "headers": self.headers,
            "text": self.text,
            "html": self.html,
        }


def body(message: EmailMessage, kind: str) -> str | None:
    """The text or HTML of a mail, if it has one."""
    part = message.get_body(preferencelist=(kind,))
    if part is None:
        return None
    try:
        return part.get_content()
    except (LookupError, ValueError):  # an unknown or broken encoding: show what is there
        return part.get_payload(decode=True).decode("utf-8", "replace")


class Mailbox:
    """All mails, shared by the SMTP and HTTP threads."""

    def __init__(self):
        self.changed = threading.Condition()
        self.mails: list[Mail] = []
        self.count = 0

    def add(self, sender: str, recipients: list[str], content: bytes) -> Mail:
        """Takes a mail; the oldest gives way when there are too many."""
        with self.changed:
            self.count += 1
            mail = Mail(self.count, sender, recipients, content)
            self.mails = [*self.mails[-(MAILS_MAX - 1) :], mail]
            self.changed.notify_all()
        return mail

    def after(self, number: int, wait_s: float) -> list[Mail]:
        """Mails with a higher number; waits until there is one, or the time is over."""
        with self.changed:
            self.changed.wait_for(lambda: self.count > number, timeout=wait_s)
            return [mail for mail in self.mails if mail.number > number]

    def find(self, number: int) -> Mail | None:
        """The mail of this number, if it is still here."""
        return next((mail for mail in self.after(number - 1, 0) if mail.number == number), None)


class Smtp:
    """aiosmtpd's handler: what to do at each SMTP command."""

    def __init__(self, mails: Mailbox, delivered: tuple[str, str] | None):
        self.mailbox = mails
        self.address, self.maildir = delivered or (None, "")

    async def handle_RCPT(self, _server, _session, envelope, address, _options):
        """Refuses the two kinds of address that stand for trouble."""
        if address.startswith("bounce"):
            return "550 5.1.1 There is no such mailbox here"
        if address.startswith("later"):
            return "451 4.2.1 This mailbox takes no mail for now, try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server, _session, envelope):
        """Takes the mail."""
        if self.address in envelope.rcpt_tos:
            mailbox.Maildir(self.maildir).add(envelope.content)
            return "250 2.0.0 Delivered"
        mail = self.mailbox.add(envelope.mail_from, list(envelope.rcpt_tos), envelope.content)
        print(f"mail {mail.number} arrived", flush=True)
        return f"250 2.0.0 Taken as {mail.number}"


STYLE = """
:root { color-scheme: light dark; --ink:#1d2430; --soft:#5b6675; --line:#d9dee6; --paper:#fff; --ground:#f3f5f8; --link:#0b57b0 }
@media (prefers-color-scheme: dark) {
  :root { --ink:#e8ecf2; --soft:#a2adbb; --line:#343c48; --paper:#1b212a; --ground:#12161c; --link:#8bbcff } }
* { box-sizing: border-box }
body { margin:0; background:var(--ground); color:var(--ink); font:1rem/1.5 system-ui,sans-serif }
main { max-width:46rem; margin:0 auto; padding:1.5rem 1rem 4rem }
h1 { font-size:1.4rem; margin:.5rem 0; overflow-wrap:anywhere } p { margin:.5rem 0 } .soft { color:var(--soft) }
a { color:var(--link) } a:focus-visible { outline:3px solid var(--link); outline-offset:2px }
ul { list-style:none; padding:0; margin:1rem 0; background:var(--paper); border:1px solid var(--line); border-radius:.6rem }
li + li { border-top:1px solid var(--line) }
li a { display:block; padding:.8rem 1rem; color:inherit; text-decoration:none } li a:hover { background:var(--ground) }
li b { display:block; overflow-wrap:anywhere } li span { color:var(--soft); font-size:.9rem; overflow-wrap:anywhere }
section { background:var(--paper); border:1px solid var(--line); border-radius:.6rem; padding:1rem; margin:1rem 0 }
dl { display:grid; grid-template-columns:auto 1fr; gap:.2rem 1rem; margin:0 } dt { color:var(--soft) } dd { margin:0; overflow-wrap:anywhere }
h2 { font-size:1rem; margin:0 0 .6rem; color:var(--soft); font-weight:600 }
pre { margin:0; white-space:pre-wrap; overflow-wrap:anywhere; font:1rem/1.5 ui-monospace,monospace }
iframe { width:100%; height:38rem; border:1px solid var(--line); border-radius:.4rem; background:#fff }
"""


# Shows the list anew when there is something new.
SCRIPT = """
const latest = Number(document.currentScript.dataset.latest);
(async () => {
  for (;;) {
    const answer = await fetch(`/api/mails?after=${latest}&wait_s=50`);
    if ((await answer.json()).length) return location.reload();
  }
})();
"""


def page(title: str, content: str, script: str = "") -> str:
    """A whole page around its content, which is HTML already."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head>'
        f"<body><main>{content}</main>{script}</body></html>"
    )


def list_page(mails: list[Mail]) -> str:
    """All mails, newest first; looks again by itself."""
    rows = "".join(
        f'<li><a href="/mail/{mail.number}"><b>{html.escape(mail.subject)}</b>'
        f"<span>to {html.escape(', '.join(mail.recipients))} at {mail.received}</span></a></li>"
        for mail in reversed(mails)
    )
    content = f"<ul>{rows}</ul>" if rows else "<section><p>No mail yet.</p></section>"
    latest = mails[-1].number if mails else 0
    return page(
        f"Mail ({len(mails)})",
        "<h1>Mail catcher</h1><p class=soft>Every mail that the demo sends ends here. "
        f"A new one shows by itself.</p>{content}",
        f"<script src=/script.js data-latest={latest}></script>",
    )


def mail_page(mail: Mail) -> str:
    """One mail, as text and as HTML."""
    rows = "".join(f"<dt>{html.escape(n)}</dt><dd>{html.escape(v)}</dd>" for n, v in mail.headers)
    parts = [f"<p><a href='/'>All mails</a></p><h1>{html.escape(mail.subject)}</h1>"]
    parts.append(f"<p class=soft>to {html.escape(', '.join(mail.recipients))} at {mail.received}</p>")
    if mail.html is not None:
        parts.append(
            "<section><h2>As most mail programs show it</h2>"
            f"<iframe sandbox title='The mail as HTML' src='/mail/{mail.number}/html'></iframe></section>"
        )
    if mail.text is not None:
        parts.append(f"<section><h2>As text</h2><pre>{html.escape(mail.text)}</pre></section>")
    parts.append(f"<section><h2>Headers</h2><dl>{rows}</dl></section>")
    parts.append(f"<p><a href='/mail/{mail.number}/source'>The whole source</a></p>")
    return page(mail.subject, "".join(parts))


OWN_PAGES = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; connect-src 'self'; "
    "frame-src 'self'; frame-ancestors 'none'"
)
MAIL_BODY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"


class Http(BaseHTTPRequestHandler):
    """The pages and the JSON door. Reads only, and answers only to a loopback name."""

    mailbox: Mailbox
    timeout = 120
    protocol_version = "HTTP/1.1"

    def log_message(self, *_arguments):
        """Quiet: the terminal belongs to the demo."""

    def do_GET(self):
        """The only method there is."""
        host = (self.headers.get("host") or "").rsplit(":", 1)[0]
        if host not in ("127.0.0.1", "localhost", "[::1]"):
            return self.answer(421, "text/plain", "Open this page as http://127.0.0.1")
        url = urlsplit(self.path)
        parts = url.path.strip("/").split("/")
        query = parse_qs(url.query)
        if url.path == "/":
            return self.answer(200, "text/html", list_page(self.mailbox.after(0, 0)))
        if url.path == "/script.js":
            return self.answer(200, "text/javascript", SCRIPT)
        if url.path == "/api/mails":
            return self.mails(query)
        if parts[0] == "mail" and len(parts) in (2, 3) and parts[1].isdecimal() and len(parts[1]) < 10:
            return self.one_mail(self.mailbox.find(int(parts[1])), *parts[2:])
        return self.answer(404, "text/plain", "There is nothing here.")

    def mails(self, query: dict):
        """The JSON door."""
        try:
            number = int(query.get("after", ["0"])[0])
            wait_s = min(float(query.get("wait_s", ["0"])[0]), WAIT_S_MAX)
        except ValueError:
            return self.answer(400, "text/plain", "after and wait_s are numbers")
        found = [mail.as_json() for mail in self.mailbox.after(number, wait_s)]
        return self.answer(200, "application/json", json.dumps(found))

    def one_mail(self, mail: Mail | None, view: str = ""):
        """One mail in one of its views."""
        if mail is None or (view == "html" and mail.html is None):
            return self.answer(404, "text/plain", "This mail is not here (any more).")
        if view == "":
            return self.answer(200, "text/html", mail_page(mail))
        if view == "html":
            return self.answer(200, "text/html", mail.html or "", MAIL_BODY)
        if view == "source":
            return self.answer(200, "text/plain", mail.source.decode("utf-8", "replace"))
        return self.answer(404, "text/plain", "There is nothing here.")

    def answer(self, status: int, kind: str, content: str, policy: str = OWN_PAGES):
        """Sends a whole answer."""
        data = content.encode("utf-8", "replace")
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Content-Security-Policy", policy)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(data)


def main() -> int:
    """Serves until it is told to stop, or the program that started it is gone."""
    parser = argparse.ArgumentParser(description="Takes every mail by SMTP and shows it in a browser.")
    parser.add_argument("--smtp", type=int, required=True, help="port on 127.0.0.1")
    parser.add_argument("--http", type=int, required=True, help="port on 127.0.0.1")
    parser.add_argument("--deliver", nargs=2, metavar=("ADDRESS", "MAILDIR"), help="a mailbox that is a Maildir")
    options = parser.parse_args()
    mails = Mailbox()
    taker = Smtp(mails, options.deliver)
    smtp = Controller(
        taker, hostname="127.0.0.1", port=options.smtp, data_size_limit=MAIL_BYTES_MAX, ident="mailcatcher"
    )
    handler = type("Handler", (Http,), {"mailbox": mails})
    try:
        smtp.start()
        web = ThreadingHTTPServer(("127.0.0.1", options.http), handler)
    except OSError as error:
        print(f"the mail catcher cannot listen: {error}", file=sys.stderr)
        return 1
    web.daemon_threads = True
    threading.Thread(target=web.serve_forever, daemon=True).start()
    print(f"ready: http://127.0.0.1:{options.http}/", flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    smtp.stop()
    web.shutdown()
    return 0


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    sys.exit(main())
