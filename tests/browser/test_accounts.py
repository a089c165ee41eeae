"""An account at the recovery service, from the question against robots to the end of it."""

import re

from browser import PHONE
from cases import InAWorld

ADDRESS = "installer@example.net"
NAME = "nora7"
SECRET = "Blue-Ladder-41"


NUMBERS = "zero one two three four five six seven eight nine ten eleven twelve".split()


class Accounts(InAWorld):
    """Signing up, signing in again, and leaving."""

    def code(self) -> str:
        """The code in the next mail to the account."""
        mail = self.world.mail.next_mail()
        self.assertEqual(mail["to"], [ADDRESS])
        codes = re.findall(r"^\s*(\d{4,8})\s*$", mail["text"], re.MULTILINE)
        self.assertEqual(len(codes), 1, mail["text"])
        return codes[0]

    def add_up(self, browser):
        """Answers the question in words, as somebody who sees no picture does."""
        question = browser.find("label[for=answer]").text
        numbers = [NUMBERS.index(word) for word in re.findall(r"[a-z]+", question.lower()) if word in NUMBERS]
        self.assertEqual(len(numbers), 2, question)
        browser.type("#answer", str(sum(numbers)))

    def test_from_the_first_mail_to_the_last(self):
        phone = self.browser(size=PHONE, pictures_as="account-")
        account = f"{self.world.cloud.address}account"
        phone.open(f"{account}/sign-up")
        phone.look("sign-up")
        phone.type("#email", ADDRESS)
        phone.type("#answer", "?")
        phone.follow("main form.stack button:not([type=button])")
        self.assertTrue(phone.has("[role=alert]"), "a wrong answer is told")

        phone.open(f"{account}/sign-up?riddle=words")
        phone.look("sign-up-in-words")
        phone.type("#email", ADDRESS)
        self.add_up(phone)
        phone.follow("main form.stack button:not([type=button])")
        phone.look("code")
        phone.type("#code", self.code())
        phone.type("#name", NAME)
        phone.type("#password", "blue")
        phone.type("#again", "blue")
        phone.look("rules")
        phone.follow("main form.stack button:not([type=button])")
        self.assertTrue(phone.has("[role=alert]"), "a weak password is told")
        phone.type("#password", SECRET)
        phone.type("#again", SECRET)
        phone.follow("main form.stack button:not([type=button])")
        phone.must_say("Registered")
        self.assertEqual(phone.path, "/recorders")
        phone.open(account)
        phone.look("account")

        phone.follow("form[action='/account/sign-out'] button.secondary")
        phone.open(f"{account}/sign-in")
        phone.look("sign-in")
        phone.type("#who", NAME)
        phone.type("#password", "not-" + SECRET)
        phone.follow("main form.stack button:not([type=button])")
        self.assertTrue(phone.has("[role=alert]"), "a wrong password is told")
        phone.type("#who", ADDRESS)
        phone.type("#password", SECRET)
        phone.follow("main form.stack button:not([type=button])")
        phone.must_say(NAME, "No recorder yet")
