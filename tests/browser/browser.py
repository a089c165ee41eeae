"""A browser as a person has it: real clicks, real keys; and what every page has to stand up to."""

from __future__ import annotations

import base64
import subprocess
import tempfile
from pathlib import Path

import axe
from check import ZBAR
from selenium import webdriver
from selenium.common.exceptions import TimeoutException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

WAIT_S = 20
PHONE = (390, 844)
DESKTOP = (1280, 900)
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-dev-shm-usage --ignore-certificate-errors "
    "--hide-scrollbars --force-device-scale-factor=1"
)


class Browser:
    """One window with a fresh profile. As a context manager it closes itself."""

    def __init__(
        self, target: Path, size=DESKTOP, scripts: bool = True, pictures_as: str = "", flags: tuple[str, ...] = ()
    ):
        self.size, self.scripts, self.pictures_as = size, scripts, pictures_as
        self.pictures = target / "screenshots"
        self.pictures.mkdir(parents=True, exist_ok=True)
        self.axe = axe.script(target / "axe")
        self.seen: list[str] = []
        self.profile = tempfile.TemporaryDirectory(prefix="latchkey-browser-", ignore_cleanup_errors=True)
        self.downloads = Path(self.profile.name) / "downloads"
        options = Options()
        options.binary_location = "/usr/bin/chromium"
        for flag in (*FLAGS.split(), *flags):
            options.add_argument(flag)
        options.add_argument(f"--user-data-dir={self.profile.name}/profile")
        options.add_argument(f"--window-size={size[0]},{size[1]}")
        settings = {"download.default_directory": str(self.downloads), "credentials_enable_service": False}
        options.add_experimental_option("prefs", settings)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(executable_path="/usr/bin/chromedriver"))
        self.command("Page.setDownloadBehavior", behavior="allow", downloadPath=str(self.downloads))
        self.show_as(size, "light")
        self.allow_scripts(scripts)

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_):
        self.driver.quit()
        self.profile.cleanup()

    def command(self, name: str, **arguments) -> dict:
        """A command of the DevTools protocol."""
        return self.driver.execute_cdp_cmd(name, arguments)

    def show_as(self, size: tuple[int, int], scheme: str):
        """Makes the window one of this size, in light or dark."""
        width, height = size
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2,
            mobile=width < 600,
        )
        # Without motion: what axe and the camera see must not be half-way between two colours.
        wishes = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
        features = [{"name": name, "value": value} for name, value in wishes.items()]
        self.command("Emulation.setEmulatedMedia", features=features)

    def allow_scripts(self, allow: bool):
        """Switches JavaScript off or on again. A page's own scripts run when it comes, or never."""
        self.command("Emulation.setScriptExecutionDisabled", value=not allow)

    def open(self, address: str):
        """Goes to an address."""
        self.driver.get(address)

    @property
    def path(self) -> str:
        """The path of the page that is shown."""
        return "/" + self.driver.current_url.split("://", 1)[-1].split("#")[0].split("?")[0].partition("/")[2]

    def find(self, css: str) -> WebElement:
        """The one element that a selector names."""
        found = self.driver.find_elements(By.CSS_SELECTOR, css)
        shown = [element for element in found if element.is_displayed()]
        if len(shown) != 1:
            raise AssertionError(f"{self.path}: {len(shown)} elements are shown for {css}, not one")
        return shown[0]

    def reach(self, css: str) -> WebElement:
        """The one element that a selector names, scrolled clear of the app's bar and standing still, on a page
        that has been painted: a person taps on what they see, and a browser drops what comes before that."""
        found = self.find(css)
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'nearest'})", found)
        if self.scripts:
            self.driver.execute_async_script(STANDS_STILL, found)
        return found

    def has(self, css: str) -> bool:
        """Whether something is shown for a selector."""
        return any(element.is_displayed() for element in self.driver.find_elements(By.CSS_SELECTOR, css))

    def text(self) -> str:
        """All that the page says, as it is shown."""
        return self.driver.find_element(By.TAG_NAME, "body").text

    def must_say(self, *texts: str):
        """The page says each of these."""
        shown = self.text()
        for text in texts:
            if text not in shown:
                raise AssertionError(f"{self.path} should say {text!r}; it says:\n{shown}")

    def tag(self) -> str:
        """The tag to compare with the recorder's, once it is there."""
        return "".join(self.find("#tag, .code .tag").text.split()) if self.has("#tag, .code .tag") else ""

    def type(self, css: str, text: str):
        """Clicks into a field and types in place of what is there."""
        field = self.reach(css)
        field.click()
        field.send_keys(Keys.CONTROL, "a")
        field.send_keys(text)

    def click(self, css: str):
        """Clicks, and stays."""
        self.reach(css).click()

    def tick(self, name: str, ticked: bool = True):
        """Clicks a box by its label, if it is not as wanted."""
        if self.driver.find_element(By.ID, name).is_selected() != ticked:
            self.click(f"label[for={name}]")

    def follow(self, css: str):
        """Clicks, and waits for the page that comes."""
        self.leave_by(self.reach(css).click)

    def leave_by(self, action):
        """Does something, and waits until another page has come in the place of this one."""
        before = self.driver.find_element(By.TAG_NAME, "html")
        self.driver.execute_script(NOTE_CLICKS)
        action()
        try:
            WebDriverWait(self.driver, WAIT_S).until(lambda _: gone(before))
        except TimeoutException:
            noted = self.driver.execute_script("return window.noted || 'nothing'")
            raise AssertionError(f"{self.path}: no other page came; clicked was {noted}") from None
        WebDriverWait(self.driver, WAIT_S).until(lambda driver: driver.find_elements(By.CSS_SELECTOR, "body"))

    def until(self, condition, what: str, wait_s: float = WAIT_S):
        """Waits for a condition."""
        WebDriverWait(self.driver, wait_s, poll_frequency=0.05).until(lambda _: condition(), what)

    # The keyboard.

    def keys(self, *keys: str):
        """Presses keys where the focus is."""
        ActionChains(self.driver).send_keys(*keys).perform()

    def tab_to(self, css: str):
        """Presses Tab until the focus is there. At every stop on the way one must see where it is."""
        target = self.driver.find_element(By.CSS_SELECTOR, css)
        for _ in range(60):
            at = self.driver.switch_to.active_element
            if at == target:
                return
            self.keys(Keys.TAB)
            self.assert_focus_is_seen()
        raise AssertionError(f"{self.path}: Tab never comes to {css}")

    def assert_focus_is_seen(self):
        """The element with the focus shows it, and is itself in view."""
        seen = self.driver.execute_script(
            """
            const at = document.activeElement;
            if (!at || at === document.body) return 'left the page';
            const style = getComputedStyle(at), box = at.getBoundingClientRect();
            const marked = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2
                || style.boxShadow !== 'none';
            const inView = box.bottom > 0 && box.top < innerHeight && box.width > 0;
            return (marked && inView) || (at.outerHTML.slice(0, 120) + ' outline ' + style.outline);
            """
        )
        if seen not in (True, "left the page"):
            raise AssertionError(f"{self.path}: the focus is not seen at {seen}")

    # What every page has to stand up to.

    def look(self, name: str, without: tuple[str, ...] = ()):
        """Checks the page in each of its looks: nothing for axe to find (`without` these rules), nothing
        wider than the window, no complaint in the console; and keeps a picture of each look."""
        self.seen.append(name)
        self.allow_scripts(True)
        for size, size_name in ((DESKTOP, "desktop"), (PHONE, "phone")):
            for scheme in ("light", "dark"):
                self.show_as(size, scheme)
                look = f"{name}, {size_name}, {scheme}"
                self.assert_accessible(look, without)
                self.assert_fits(look)
                self.picture(f"{self.pictures_as}{len(self.seen):02}-{name}-{size_name}-{scheme}")
        self.show_as(self.size, "light")
        self.allow_scripts(self.scripts)
        self.assert_console_is_silent(name)

    def assert_accessible(self, look: str, without: tuple[str, ...]):
        """axe finds nothing."""
        # In the page without waiting for its own scripts: a content security policy forbids those only.
        found = self.driver.execute_async_script(
            self.axe + "; const done = arguments[arguments.length - 1];"
            "axe.run(document, {resultTypes: ['violations'], rules: arguments[0]})"
            ".then(r => done(r.violations), e => done(String(e)));",
            {rule: {"enabled": False} for rule in without},
        )
        if isinstance(found, str):
            raise AssertionError(f"{look}: axe did not run: {found}")
        faults = [
            f"  {fault['id']}: {fault['help']}: {node['html'][:200]}\n    {node.get('failureSummary', '')}"
            for fault in found
            for node in fault["nodes"]
        ]
        if faults:
            raise AssertionError(f"{look} ({self.path[:80]}): axe finds\n" + "\n".join(faults))

    def assert_fits(self, look: str):
        """One never scrolls sideways."""
        wide, window = self.driver.execute_script(
            "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        )
        if wide > window:
            raise AssertionError(f"{look} ({self.path}): {wide} pixels wide in a window of {window}")

    def assert_console_is_silent(self, name: str):
        """The page complains of nothing."""
        lines = [line["message"] for line in self.driver.get_log("browser") if is_complaint(line)]
        if lines:
            raise AssertionError(f"{name}: the browser's console says\n" + "\n".join(lines))

    def picture(self, name: str) -> Path:
        """Keeps a picture of the whole page."""
        shot = self.command("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        file = self.pictures / f"{name}.png"
        file.write_bytes(base64.b64decode(shot["data"]))
        return file

    def read_qr(self) -> str:
        """What a camera that is held to the screen reads."""
        file = self.picture(f"{self.pictures_as}camera")
        found = subprocess.run([*ZBAR, str(file)], capture_output=True, text=True, check=False)
        if found.returncode != 0:
            raise AssertionError(f"zbar reads no QR code in {file}")
        return found.stdout.strip()


# Painted, and in the same place in two frames.
STANDS_STILL = """
    const [element, done] = arguments;
    let place = null;
    const look = () => {
        const box = element.getBoundingClientRect();
        const now = [box.x, box.y, box.width, box.height].join();
        if (now === place && performance.getEntriesByType('paint').length) return done();
        place = now;
        requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
"""

# For the report, should nothing come of it.
NOTE_CLICKS = """
    addEventListener('click', (event) => {
        const button = event.target.closest('button, a') || event.target;
        window.noted = button.outerHTML.slice(0, 160) + (button.disabled ? ' (disabled)' : '');
    }, {capture: true});
    addEventListener('invalid', (event) => { window.noted += '; invalid: ' + event.target.name; }, {capture: true});
"""


def gone(element: WebElement) -> bool:
    """Whether an element's page has been left."""
    try:
        element.is_enabled()
        return False
    except Exception as error:  # chromedriver names it in more than one way
        return any(text in str(error) for text in ("stale", "not attached", "does not belong", "detached"))


def is_complaint(line: dict) -> bool:
    """A refused form's own status (403, 409, 422, 429) is reported as an error, and is none."""
    return line["level"] in ("SEVERE", "WARNING") and "the server responded with a status of 4" not in line["message"]
