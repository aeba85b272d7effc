"""Chromium without a network. Without a browser these tests are skipped, except in CI, where they fail."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

import embshift

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--window-size=1280,900",
    "--force-prefers-reduced-motion",
)
NO_HOST = "--host-resolver-rules=MAP * ~NOTFOUND"


class Browser:
    """A page, its requests and its complaints."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(self, path: Path, fragment: str = "") -> None:
        self.driver.get("about:blank")
        self.driver.get_log("performance")
        self.driver.get_log("browser")
        self.driver.get(path.as_uri() + fragment)

    def run(self, script: str, *values: object):
        return self.driver.execute_script(script, *values)

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def texts(self, selector: str) -> list[str]:
        script = "return [...document.querySelectorAll(arguments[0])].map((one) => one.textContent)"
        return self.run(script, selector)

    @contextmanager
    def resized(self, width: int) -> Iterator[None]:
        """Reload the page in a window of another width."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        try:
            self.driver.refresh()
            yield
        finally:
            self.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})

    def complaints(self) -> list[str]:
        return [line["message"] for line in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """Return requested addresses since the page was opened, without the page and inlined images."""
        messages = [json.loads(line["message"])["message"] for line in self.driver.get_log("performance")]
        sent = [m["params"] for m in messages if m["method"] == "Network.requestWillBeSent"]
        asked = [one["request"]["url"] for one in sent if one.get("type") != "Document"]
        return [url for url in asked if not url.startswith("data:")]


def found() -> tuple[str, str] | None:
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    steering = shutil.which("chromedriver")
    return (browser, steering) if browser and steering else None


def start(*more: str) -> webdriver.Chrome:
    programs = found()
    if programs is None:
        reason = "no Chromium with chromedriver here: apt-get install chromium chromium-driver"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    options = webdriver.ChromeOptions()
    options.binary_location = programs[0]
    for option in (*OPTIONS, *more):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    made = webdriver.Chrome(options=options, service=Service(programs[1]))
    made.execute_cdp_cmd("Network.enable", {})
    return made


@pytest.fixture(scope="session")
def driver() -> Iterator[webdriver.Chrome]:
    made = start(NO_HOST)
    offline = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    made.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
    yield made
    made.quit()


@pytest.fixture(scope="session")
def local_driver() -> Iterator[webdriver.Chrome]:
    """Chromium that reaches this machine's own address and nothing else."""
    made = start(f"{NO_HOST}, EXCLUDE 127.0.0.1")
    yield made
    made.quit()


@pytest.fixture
def browser(driver: webdriver.Chrome) -> Browser:
    return Browser(driver)


@contextmanager
def serve(*arguments: str | Path) -> Iterator[str]:
    """Serve runs until the end of the block; yields the printed address."""
    command = [sys.executable, "-m", "embshift", "serve", *map(str, arguments), "--no-browser", "--quiet"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert server.stderr is not None
        address = server.stdout.readline().strip()
        try:
            assert address, server.stderr.read()
            yield address
        finally:
            server.terminate()


@pytest.fixture(scope="session")
def served(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve two small runs of the same images and transforms, whose views can be made again."""
    folder = tmp_path_factory.mktemp("served")
    names = ("noise", "motion_blur", "grey")
    for name, size in (("first", 64), ("second", 96)):
        embshift.measure(
            photos,
            transforms={one: one for one in names},
            encoder="lite",
            image_size=size,
            draws=2,
            workers=0,
            out=folder / name,
        )
    with serve(folder / "first", folder / "second") as address:
        yield address
