"""The page in a real browser."""

import shutil
import time

import pytest

from tests.show import runs
from undertow.show import write_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="chromium or chromedriver is not installed")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1400,1000",
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Where the page of a made run is."""
    made = {}

    def at(name, review):
        if name not in made:
            folder = tmp_path_factory.mktemp(name)
            run = getattr(runs, name)(folder / "run")
            made[name] = write_report(run, review(run), folder / "report.html").as_uri()
        return made[name]

    return at


def shown(browser, address, width=1400, theme="light"):
    size = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    scheme = [{"name": "prefers-color-scheme", "value": theme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
    browser.get(address)
    browser.execute_script("try { localStorage.clear() } catch {}")
    time.sleep(0.3)
    return browser


def all_of(browser, selector):
    return browser.find_elements("css selector", selector)


def press(browser, element):
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
    element.click()


def texts(browser, selector):
    return [element.text for element in all_of(browser, selector)]


EVERY = {
    "sigmoids": runs.sick,
    "residual": runs.hostile,
    "transformer": runs.healthy,
    "deep": runs.sick,
    "functional": runs.healthy,
    "gan": runs.healthy,
    "not_finite": runs.sick,
    "empty": runs.nothing,
}


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("width", [1400, 700, 400])
def test_nothing_fails_and_nothing_overflows(browser, page, name, width):
    shown(browser, page(name, EVERY[name]), width, "dark" if width == 700 else "light")
    assert browser.get_log("browser") == []
    assert browser.title != "broken"
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert all_of(browser, "h1")[0].is_displayed()
    for plot in all_of(browser, ".plot"):
        assert plot.find_elements("css selector", "svg"), "a figure was not drawn"


def test_the_verdict_comes_first(browser, page):
    shown(browser, page("sigmoids", runs.sick))
    banner = all_of(browser, "main > section")[0]
    assert banner.get_attribute("id") == "verdict"
    for words in ("not learning", "UT101", "vanishing-gradient", "train.py:14"):
        assert words in banner.text


def test_modules_unfold_and_fold_again_by_mouse_and_by_keyboard(browser, page):
    from selenium.webdriver.common.keys import Keys

    shown(browser, page("sigmoids", runs.sick))
    before = len(all_of(browser, ".row"))
    button = next(b for b in all_of(browser, ".row.box button") if "Linear" in b.text)
    press(browser, button)
    assert len(all_of(browser, ".row")) > before
    assert browser.switch_to.active_element.get_attribute("aria-expanded") == "true"
    assert any("weight" in text for text in texts(browser, ".row.leaf"))
    browser.switch_to.active_element.send_keys(Keys.ARROW_LEFT)
    assert len(all_of(browser, ".row")) == before
    browser.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
    assert len(all_of(browser, ".row")) > before
    browser.switch_to.active_element.send_keys(Keys.ARROW_DOWN)
    assert "gradient in" in all_of(browser, ".details")[0].text


def test_every_row_can_be_unfolded_to_its_operations(browser, page):
    shown(browser, page("transformer", runs.healthy))
    for _ in range(400):
        folded = all_of(browser, ".row.box button")
        if not folded:
            break
        press(browser, folded[0])
    assert not all_of(browser, ".row.box")
    operations = browser.execute_script(
        "return JSON.parse(document.querySelector('.flowmap .data').textContent).graphs[0].operations.length"
    )
    assert len(all_of(browser, ".row.op, .row.leaf")) == operations
    assert browser.get_log("browser") == []
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 1400


def test_a_network_of_a_thousand_operations_starts_readable_and_shows_its_cause(browser, page):
    shown(browser, page("deep", runs.sick))
    assert 5 <= len(all_of(browser, ".row.box, .row.op, .row.leaf")) <= 27
    started = time.monotonic()
    next(b for b in all_of(browser, ".controls button") if b.text == "Show the cause").click()
    assert time.monotonic() - started < 3
    assert texts(browser, ".row.fault .name")[0].split()[0] == "11"


def test_skip_and_branch_are_told_apart(browser, page):
    shown(browser, page("transformer", runs.healthy))
    assert all_of(browser, "path.river.skip")
    assert any("by the skip" in text for text in texts(browser, ".paths"))


def test_what_is_lost_where_adds_up_to_the_account(browser, page):
    shown(browser, page("sigmoids", runs.sick))
    total = browser.execute_script(
        "return JSON.parse(document.querySelector('.flowmap .data').textContent).moments[0].total"
    )
    told = [text.replace("−", "-") for text in texts(browser, ".row.box .here, .row.op .here, .row.leaf .here")]
    assert sum(float(text) for text in told if text) == pytest.approx(total, abs=0.15)


def test_another_step_and_another_loss_can_be_chosen(browser, page):
    shown(browser, page("gan", runs.healthy))
    options = all_of(browser, ".moment option")
    seen = set()
    for option in options:
        option.click()
        seen.add(all_of(browser, ".map")[0].text)
    assert len(options) == len(seen) >= 4


def test_numbers_that_are_none_are_marked(browser, page):
    shown(browser, page("not_finite", runs.sick))
    assert "NaN" in all_of(browser, ".map")[0].text


def test_dark_follows_the_system_and_the_button_changes_it(browser, page):
    paper = "return getComputedStyle(document.body).backgroundColor"
    light = shown(browser, page("sigmoids", runs.sick), theme="light").execute_script(paper)
    dark = shown(browser, page("sigmoids", runs.sick), theme="dark").execute_script(paper)
    assert light != dark
    all_of(browser, "#theme")[0].click()
    assert browser.execute_script(paper) == light


def test_it_prints_in_light_with_all_rows_of_tables(browser, page):
    shown(browser, page("sigmoids", runs.sick), theme="dark")
    printed = browser.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
    assert len(printed["data"]) > 50_000
    assert browser.get_log("browser") == []


def test_without_scripts_the_page_still_tells_the_verdict_and_the_account(browser, page):
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(page("sigmoids", runs.sick))
        assert "UT101" in all_of(browser, "#verdict")[0].text
        assert "Sigmoid" in all_of(browser, ".accounts")[0].text
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
