# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A person logs in to /admin/ through Nginx and sees a page with its style, without an error in the console.

The demo host must be there (`make demo`), and chromium with chromium-driver (packages of Debian).
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

if TYPE_CHECKING:
    from collections.abc import Iterator

    from selenium.webdriver.chrome.webdriver import WebDriver

ROOT = Path(__file__).resolve().parents[2]
CREDENTIALS = ROOT / ".demo" / "credentials.json"
SECONDS = 20
NO_COLOUR = ("rgba(0, 0, 0, 0)", "transparent", "rgb(255, 255, 255)", "rgba(255, 255, 255, 1)")
FLAGS = (
    "--headless=new",
    # Chromium's own sandbox needs privileges that root in a container does not have.
    *(("--no-sandbox",) if os.geteuid() == 0 else ()),
    "--disable-gpu",
    "--disable-dev-shm-usage",
    # Only the site is asked: no updates, no metrics, no look-ups of the vendor's hosts.
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
    "--window-size=1280,900",
)


@pytest.fixture(scope="module")
def credentials() -> dict[str, str]:
    if not CREDENTIALS.is_file():
        pytest.fail("there is no demo host: `make demo` boots it and writes .demo/credentials.json")
    return dict(json.loads(CREDENTIALS.read_text()))


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[WebDriver]:
    binary, driver = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
    if not binary or not driver:
        pytest.fail("chromium and chromedriver are needed: apt-get install chromium chromium-driver")
    options = Options()
    options.binary_location = binary
    for flag in (*FLAGS, f"--user-data-dir={tmp_path / 'profile'}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    # By the demo's own authority; whether a certificate is right is what `molecule/edge` asks.
    options.accept_insecure_certs = True
    # With the path given, selenium does not try to download a driver.
    chrome = webdriver.Chrome(options=options, service=Service(executable_path=driver))
    chrome.set_page_load_timeout(SECONDS)
    yield chrome
    chrome.quit()


def errors(browser: WebDriver) -> list[str]:
    """Return what the console calls severe; a browser asks for /favicon.ico whatever the page says."""
    entries: list[dict[str, Any]] = browser.get_log("browser")  # type: ignore[no-untyped-call]
    return [str(e["message"]) for e in entries if e["level"] == "SEVERE" and "/favicon.ico" not in str(e["message"])]


def background(browser: WebDriver, selector: str) -> str:
    """Return the computed background of an element."""
    return browser.find_element(By.CSS_SELECTOR, selector).value_of_css_property("background-color")


def log_in(browser: WebDriver, credentials: dict[str, str]) -> None:
    """Fill in the login form and wait for the next page."""
    browser.get(credentials["url"].rstrip("/") + "/admin/")
    browser.find_element(By.NAME, "username").send_keys(credentials["username"])
    browser.find_element(By.NAME, "password").send_keys(credentials["password"])
    browser.find_element(By.CSS_SELECTOR, "input[type=submit]").click()
    WebDriverWait(browser, SECONDS).until(lambda b: b.find_elements(By.ID, "user-tools"))


def test_the_login_page_is_styled(browser: WebDriver, credentials: dict[str, str]) -> None:
    browser.get(credentials["url"].rstrip("/") + "/admin/")
    assert "/admin/login/" in browser.current_url
    assert background(browser, "#header") not in NO_COLOUR
    assert errors(browser) == []


def test_an_administrator_logs_in_and_sees_the_jobs(
    browser: WebDriver, credentials: dict[str, str], tmp_path: Path
) -> None:
    log_in(browser, credentials)
    assert background(browser, "#header") not in NO_COLOUR
    sheets = browser.execute_script(
        "return Array.from(document.styleSheets).filter(s => s.href).map(s => [s.href, s.cssRules.length])"
    )
    assert sheets
    assert [href for href, rules in sheets if rules == 0] == []
    browser.save_screenshot(str(tmp_path / "admin.png"))
    browser.find_element(By.CSS_SELECTOR, "a[href*='/admin/optimization/']").click()
    WebDriverWait(browser, SECONDS).until(lambda b: b.find_elements(By.ID, "content"))
    assert background(browser, "#header") not in NO_COLOUR
    assert errors(browser) == []


def test_a_wrong_password_is_refused_in_words(browser: WebDriver, credentials: dict[str, str]) -> None:
    browser.get(credentials["url"].rstrip("/") + "/admin/")
    browser.find_element(By.NAME, "username").send_keys(credentials["username"])
    browser.find_element(By.NAME, "password").send_keys("not the password")
    browser.find_element(By.CSS_SELECTOR, "input[type=submit]").click()
    WebDriverWait(browser, SECONDS).until(lambda b: b.find_elements(By.CSS_SELECTOR, ".errornote"))
    assert errors(browser) == []
