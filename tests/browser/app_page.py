"""The app's page in Chromium, for tests."""

import time
from collections.abc import Callable

from tests.browser.conftest import Browser

PATIENCE = 60.0
"""Seconds after which a page that does not answer counts as stuck."""

_WATCH = """if (!window.violations) {
  window.violations = [];
  window.hashes = [];
  const real = window.fetch;
  window.fetch = (...all) => {
    window.hashes.push(location.hash);
    return real(...all);
  };
  const note = (text) => window.violations.push(text);
  document.addEventListener("securitypolicyviolation", (event) =>
    note(`${event.violatedDirective}: ${event.blockedURI} ${event.sample}`));
  window.addEventListener("error", (event) => note(event.message));
  window.addEventListener("unhandledrejection", (event) => note(String(event.reason)));
}"""


class App(Browser):
    """The page of a server."""

    def __init__(self, driver, address: str) -> None:
        super().__init__(driver)
        self.base, self.token = address.split("/#")
        self.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": _WATCH})

    def go(self, place: str = "") -> "App":
        """Open the printed address anew, at a place of the app."""
        self.driver.get("about:blank")
        self.driver.get_log("browser")
        self.driver.get_log("performance")
        self.driver.get(f"{self.base}/#{self.token}{place}")
        return self.rest()

    def rest(self) -> "App":
        """Wait until the page shows what it was asked for."""
        settled = """const page = document.querySelector("section.page:not([hidden])");
            return page !== null && page.getAttribute("aria-busy") !== "true" &&
              (page.id !== "page-gallery" || document.querySelector(".card") !== null)"""
        self.until(lambda: self.run(settled))
        return self

    def until(self, done: Callable[[], object]) -> None:
        """Wait for something to become true."""
        end = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < end, self.text("main") + str(self.run("return window.violations"))
            time.sleep(0.05)

    def text(self, selector: str) -> str:
        return self.one(selector).text

    def press(self, *keys: str) -> "App":
        """Press keys on whatever has the focus."""
        self.driver.switch_to.active_element.send_keys(*keys)
        return self.rest()

    def place(self) -> list[str]:
        """Return the parts of the address after the hash."""
        return self.run("return location.hash.slice(1)").split("/")

    def slide(self, *positions: int) -> None:
        """Drag the slider through positions from 0 to 1,000, without letting go."""
        script = """const slider = document.getElementById("strength");
            for (const position of arguments[0]) {
              slider.value = position;
              slider.dispatchEvent(new Event("input", { bubbles: true }));
            }"""
        self.run(script, list(positions))

    def widest(self) -> int:
        """Return by how many pixels the page is wider than the window."""
        return self.run("return document.documentElement.scrollWidth - window.innerWidth")

    def check(self) -> None:
        """Assert that nothing was refused by the policy, failed, or was asked of another machine."""
        assert self.run("return window.violations") == []
        assert [line for line in self.complaints() if "status of 4" not in line] == []
        own = (f"{self.base}/", f"blob:{self.base}/", "about:blank")
        assert [url for url in self.requests() if not url.startswith(own)] == []
