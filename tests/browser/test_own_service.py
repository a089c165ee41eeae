"""A recorder is registered with another recovery service, on its Platform access page."""

from browser import PHONE
from cases import EMAIL, PASSWORD, InAWorld

FORM = "section[aria-labelledby=enrol]"
ONLINE_S_MAX = 60


class AnotherService(InAWorld):
    """A recorder whose registration was withdrawn, and a claim code."""

    def test_by_claim_code_and_admin_password(self):
        cloud, recorder = self.world.cloud, self.world.recorder
        page = self.browser(size=PHONE, pictures_as="enrol-")
        self.activate(page, EMAIL)
        page.open(f"{recorder.address}configuration/platform")
        page.tick("enabled")
        page.follow("form:has(#enabled) button[value=save]")
        claim = cloud.command("factory", "claim").strip()

        def register(code: str, password: str):
            if not page.has(f"{FORM} details[open]"):
                page.click(f"{FORM} summary")
            page.type("#other", cloud.host)
            page.type("#claim", code)
            page.type("#current", password)
            page.follow(f"{FORM} button[value=enrol]")

        register("AAAA", PASSWORD)
        page.must_say("A claim code has 32 letters and digits")
        page.look("claim-wrong")
        register(claim, f"{PASSWORD}x")
        page.must_say("not right")
        page.open(f"{recorder.address}configuration/platform")
        register(claim, PASSWORD)
        page.must_say("Not registered", "has an identity for this serial number already")
        page.look("signed-before")
        cloud.command("factory", "revoke", recorder.serial)
        register(claim, PASSWORD)
        page.must_say("Registered with the new service")

        def online() -> bool:
            page.open(f"{recorder.address}configuration/platform")
            return "Online" in page.text()

        page.until(online, "the recorder is online with its new identity", ONLINE_S_MAX)
        page.look("online")
