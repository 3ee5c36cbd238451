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


@pytest.fixture
def scriptless(browser):
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    yield browser
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


@pytest.mark.parametrize("width", [1400, 700])
def test_without_scripts_the_page_still_tells_the_verdict_and_shows_flow_and_loss(scriptless, page, width):
    view = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
    scriptless.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", view)
    scriptless.get(page("sigmoids", runs.sick))
    assert "UT101" in all_of(scriptless, "#verdict")[0].text
    assert "Sigmoid" in all_of(scriptless, ".accounts")[0].text
    rivers = all_of(scriptless, ".still path.river")
    assert rivers
    assert all(river.is_displayed() for river in rivers)
    assert all(station.is_displayed() for station in all_of(scriptless, ".map.still rect"))
    assert all(chart.size["height"] > 100 for chart in all_of(scriptless, ".figure .chart svg"))
    assert not any(button.is_displayed() for button in all_of(scriptless, "button"))
    metrics = scriptless.execute_cdp_cmd("Page.getLayoutMetrics", {})
    assert metrics["cssContentSize"]["width"] <= width


def test_without_scripts_a_dark_system_gets_a_dark_page(scriptless, page):
    papers = set()
    for theme in ("light", "dark"):
        scheme = [{"name": "prefers-color-scheme", "value": theme}]
        scriptless.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
        scriptless.get(page("sigmoids", runs.sick))
        papers.add(all_of(scriptless, "body")[0].value_of_css_property("background-color"))
    assert len(papers) == 2


ROWS = """
const still = new DOMParser().parseFromString(document.querySelector(".flowmap noscript").textContent, "text/html");
const told = (row) => [row.className.replace(/ends/, "").trim(),
  ...[".name", ".kind", ".here", ".below"].map((part) => (row.querySelector(part) || {}).textContent || "")];
return [still, document].map((page) => [
  [...page.querySelectorAll(".row:not(.captions)")].map(told),
  [...page.querySelectorAll("path.river")].map((path) => Number(path.getAttribute("stroke-width"))),
  page.querySelectorAll("path.bore").length,
]);
"""


@pytest.mark.parametrize("name", [name for name in EVERY if name != "empty"])
def test_the_map_without_scripts_is_the_map_with_them(browser, page, name):
    still, live = shown(browser, page(name, EVERY[name])).execute_script(ROWS)
    assert still[0] == live[0]
    assert len(still[1]) == len(live[1])
    assert still[2] == live[2]
