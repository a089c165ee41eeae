"""The whole way of a reset without a person, then what must kill a code and what must not. Every step is
taken by a program that could be anybody's: HTTPS, zbar, HTTP and a mailbox."""

import re
import secrets
import smtplib
import subprocess
from email.message import EmailMessage
from pathlib import Path

from client import Api
from link_check import LinkCheck
from world import NO_NAMESPACES, RECOVERY_MAILBOX, Trouble, World, expect

FIRST_EMAIL = "owner@example.org"
SECOND_EMAIL = "new.owner@example.org"


# QR codes alone: in the modules of some of them it sees a bar code as well, and tells it on a line of its own.
ZBAR = ("zbarimg", "--quiet", "--raw", "-Sdisable", "-Sqrcode.enable")

# The subjects of the mails that tell of something.
NOTICES = {
    "requested": "Someone asked to reset the password of your recorder",
    "completed": "The password of your recorder was reset",
    "changed": "The reserved email of your recorder was changed",
}


class Check:
    """The steps, in order; each prints one line when it is done."""

    def __init__(self, world: World):
        self.world = world
        self.step = "start"
        self.number = 0
        self.password = new_password()
        self.email = FIRST_EMAIL
        self.notices: list[dict] = []
        self.tag = ""

    def done(self, what: str):
        """Tells that a step is done."""
        self.number += 1
        print(f"{self.number:3}  {what}", flush=True)

    def run(self):
        """All of it."""
        if not self.world.recorder.can_reboot:
            raise Trouble(NO_NAMESPACES)
        self.read_documents()
        self.activate()
        self.reset()
        self.mail_the_picture()
        self.crash()
        self.reboot()
        self.email_change()
        LinkCheck(self).run()
        print("reset complete", flush=True)

    def read_documents(self):
        """From here on every answer is held to the OpenAPI document of whoever gave it."""
        self.step = "the OpenAPI documents"
        recorder = self.world.recorder
        self.device = Api(recorder.https_port, recorder.certificate, host=recorder.host)
        self.cloud = Api(self.world.cloud.port)
        self.done("recorder and cloud serve their OpenAPI documents")

    def activate(self):
        """A factory-new recorder gets its first password and its reserved email."""
        self.step = "activation"
        expect(self.describe()["lifecycle"], "inactive", "state of a factory-new recorder")
        self.device.refused("POST", "/reset/challenge", {"terms_accepted": True}, "not-active")
        self.done("a factory-new recorder is inactive, and offers no reset")
        self.device.refused("POST", "/activation", {"password": "short1!"}, "weak-password")
        self.device.must("POST", "/activation", {"password": self.password})
        expect(self.describe()["lifecycle"], "active", "state after activation")
        self.done("activated over HTTPS; a password of 7 characters was refused")
        self.sign_in()
        self.change_email(self.email)
        self.sign_out()
        expect(self.describe()["masked_emails"], ["o***r@e***e.org"], "the reserved email, as anyone sees it")
        self.done("reserved an email; whoever is not signed in sees it masked")

    def reset(self):
        """The way of one reset."""
        self.step = "reset"
        link = self.forget()
        self.done("forgot the password; the QR picture was read by zbar")
        code = self.code_for(link)
        self.done("relayed over HTTP; the mail came with the code")
        wrong = f"{(int(code) + 1) % 10**8:08}"
        expect(
            self.device.refused("POST", "/reset/verification", {"code": wrong}, "wrong-code")["tries_left"],
            4,
            "tries left",
        )
        self.done("a wrong code was refused, and cost one try")
        self.set_password(self.verify(code))
        self.done("the right code was taken, and a new password set")
        self.sign_in()
        self.sign_out()
        self.done("signed in with the new password")
        self.device.refused("POST", "/session", {"password": self.old_password}, "wrong-password")
        self.done("the old password was refused")
        refusal = self.device.refused("POST", "/reset/verification", {"code": code}, "no-challenge")
        expect(refusal["reason"], "password-changed", "why the used code is dead")
        self.done("the used code was refused")

    def mail_the_picture(self):
        """The exported picture, mailed by a stranger to the recovery mailbox, does what a phone does."""
        self.step = "a mail to the recovery mailbox"
        self.forget()
        mailbox = self.device.must("GET", "/reset/challenge").json()["mailbox"]
        expect(mailbox, RECOVERY_MAILBOX, "the mailbox that the recorder names beside Export")
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = "installer@example.net", mailbox, "Fwd: recorder"
        mail.set_content("The picture is attached.")
        picture = (self.world.folder / "qr.png").read_bytes()
        mail.add_attachment(picture, maintype="image", subtype="png", filename="recovery-qr.png")
        with smtplib.SMTP("127.0.0.1", self.world.mail.smtp_port, timeout=60) as smtp:
            smtp.send_message(mail)
        self.set_password(self.verify(self.code_in_mail(self.tag)))
        self.sign_in()
        self.sign_out()
        self.done("the exported picture mailed to the recovery mailbox: the code came to the reserved email alone")

    def crash(self):
        """kill -9 with a code pending: the same QR comes back, and the code counts."""
        self.step = "crash with a code pending"
        link = self.forget()
        code = self.code_for(link)
        self.world.recorder.crash()
        expect(self.forget(), link, "QR after kill -9 of the daemon")
        self.set_password(self.verify(code))
        self.sign_in()
        self.sign_out()
        self.done("kill -9 with a code pending: the same QR came back, and the code still counted")

    def reboot(self):
        """A reboot kills the code."""
        self.step = "reboot with a code pending"
        code = self.code_for(self.forget())
        self.world.recorder.reboot()
        self.code_is_dead(code, "rebooted")
        self.sign_in()
        self.done("a reboot with a code pending: the code was refused, with the reason")

    def email_change(self):
        """Another reserved email kills the code."""
        self.step = "email change with a code pending"
        code = self.code_for(self.forget())
        self.change_email(SECOND_EMAIL)
        self.code_is_dead(code, "email-changed")
        self.sign_out()
        self.done("another reserved email with a code pending: the code was refused, with the reason")

    def change_email(self, email: str):
        """Reserves an address, confirmed by the password."""
        self.device.must("PUT", "/admin/reserved-email", {"current": self.password, "email": email})
        self.email = email

    def describe(self) -> dict:
        """What anyone may see."""
        return self.device.must("GET", "/device").json()

    def sign_in(self):
        """Signs in with the present password."""
        self.device.session = None
        self.device.session = self.device.must("POST", "/session", {"password": self.password}).json()["session"]

    def sign_out(self):
        """Ends the session."""
        self.device.must("DELETE", "/session")
        self.device.session = None

    def forget(self) -> str:
        """Asks for a challenge, takes its picture, and gives the link that an independent decoder reads."""
        challenge = self.device.must("POST", "/reset/challenge", {"terms_accepted": True}).json()
        self.tag = challenge["tag"]
        picture = self.world.folder / "qr.png"
        picture.write_bytes(self.device.must("GET", "/reset/challenge/qr.png").content)
        link = decode(picture)
        expect(link, challenge["qr_text"], "what zbar reads in the picture")
        expect(link.startswith(f"https://{self.world.cloud.host}/r#"), True, "the link leads to the cloud")
        return link

    def code_for(self, link: str) -> str:
        """Does what a phone does with the link, and reads the code in the owner's mail."""
        relayed = self.cloud.must("POST", "/relay", {"sealed": link.split("#")[1]}).json()
        code = self.code_in_mail(relayed["tag"])
        state = self.cloud.must("GET", f"/relay/{relayed['id']}").json()
        expect(state["mail"]["state"] in ("queued", "accepted"), True, f"the mail's state is told: {state}")
        return code

    def notice(self, about: str, to: str):
        """Waits for the mail that tells of something, and of which no code is wanted."""
        subject = NOTICES[about]
        while not (found := [n for n in self.notices if n["subject"] == subject and n["to"] == [to]]):
            mail = self.world.mail.next_mail()
            expect(mail["subject"] in NOTICES.values(), True, f"a notice: {mail['subject']}")
            self.notices.append(mail)
        self.notices.remove(found[0])
        codes = re.findall(r"\d{8}", found[0]["text"])
        expect(codes, [], "codes in a notice")

    def code_in_mail(self, tag: str) -> str:
        """The code in the owner's next mail, which must name the request's tag. Notices may come before it."""
        while (mail := self.world.mail.next_mail())["subject"] in NOTICES.values():
            self.notices.append(mail)
        expect(mail["to"], [self.email], "who got the mail")
        expect(tag in mail["text"], True, "the mail names the request's tag")
        for form in ("text", "html"):
            if not mail[form]:
                raise Trouble(f"the mail has no {form} form")
        codes = re.findall(r"^\s*(\d{8})\s*$", mail["text"], re.MULTILINE)
        if len(codes) != 1:
            raise Trouble(f"the mail should have the code alone on a line, once:\n{mail['text']}")
        return codes[0]

    def verify(self, code: str) -> str:
        """Trades a code for a grant."""
        return self.device.must("POST", "/reset/verification", {"code": code}).json()["grant"]

    def set_password(self, grant: str):
        """Trades a grant for a new password."""
        self.old_password, self.password = self.password, new_password()
        self.device.must("POST", "/reset/password", {"grant": grant, "password": self.password})

    def code_is_dead(self, code: str, reason: str):
        """The code is refused, for this reason."""
        refusal = self.device.refused("POST", "/reset/verification", {"code": code}, "no-challenge")
        expect(refusal["reason"], reason, "why the code is dead")


def new_password() -> str:
    """A password that meets the promise and no list of common ones has."""
    return f"Aa1!{secrets.token_urlsafe(9)}"


def decode(picture: Path) -> str:
    """What zbar reads in a picture."""
    found = subprocess.run([*ZBAR, str(picture)], capture_output=True, text=True, check=False)
    if found.returncode != 0:
        raise Trouble(f"zbar cannot read {picture}: {found.stderr.strip() or 'no code found'}")
    return found.stdout.strip()


