"""Results by themselves: in a frame, as a file, as figures."""

import html
import importlib
import json
import pkgutil
import re
import shutil

import pytest
from plotly.graph_objects import Figure

import undertow
from tests.show.results import at_the_edge, results
from tests.show.test_page import browser, pytestmark, shown  # noqa: F401
from undertow.errors import ShowError
from undertow.show import blocks
from undertow.show.kept import kept_blocks, plain_blocks
from undertow.show.notebook import blocks_of
from undertow.show.page import page
from undertow.show.paint import palette
from undertow.shown import Shown
from undertow.store import Run

NAMES = (
    *("line", "plane", "path", "spectrum", "eigen", "edge", "trace", "forecast", "outlook"),
    *("standstill", "noise", "batch-noise", "noise-scale", "tradeoff", "comparison", "run", "review"),
    *("flow", "strongest-path", "precision", "sample-norms", "preflight", "derivation"),
)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return results(tmp_path_factory.mktemp("results"))


def test_each_class_of_results_has_its_blocks_and_a_sample(made):
    for module in pkgutil.walk_packages(undertow.__path__, "undertow."):
        if not module.name.startswith(("undertow.cli", "undertow.testing", "undertow.launch", "undertow.__")):
            importlib.import_module(module.name)
    classes = {kind.__qualname__ for kind in Shown.__subclasses__()}
    assert classes == {type(result).__qualname__ for result in made.values()}
    assert classes == {kind.__qualname__ for kind in blocks_of.registry} - {"object"}
    assert set(made) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_pictures_are_those_of_the_page_with_no_colour_left_unnamed(made, name):
    result = made[name]
    drawn = [block for block in blocks_of(result) if isinstance(block, blocks.Figure)]
    for dark in (False, True):
        pictures = result.figures(dark=dark)
        assert [picture.layout.title.text for picture in pictures] == [block.title for block in drawn]
        for picture in pictures:
            assert isinstance(picture, Figure)
            assert '"@' not in picture.to_json()
            assert picture.layout.paper_bgcolor == palette(dark)["paper"]
    if drawn:
        assert result.figure() == result.figures()[0]
    else:
        with pytest.raises(ShowError, match="no picture"):
            result.figure()


@pytest.mark.parametrize("name", NAMES)
def test_the_file_and_the_frame_hold_the_same_headings(made, name, tmp_path):
    page = made[name].save(tmp_path / "page.html").read_text()
    framed = re.search(r'srcdoc="([^"]*)"', made[name]._repr_html_()).group(1)
    heads = [re.findall(r"<h[12]>(.*?)</h[12]>", text) for text in (page, html.unescape(framed))]
    assert heads[0] == heads[1] != []


def test_a_framed_result_takes_two_megabytes(made):
    assert len(made["path"]._repr_html_()) < 2.2e6
    assert len(made["review"]._repr_html_()) < 1e5


def test_results_with_nothing_in_them_are_shown_all_the_same(tmp_path):
    for name, result in at_the_edge().items():
        page = result.save(tmp_path / "page.html").read_text()
        json.dumps(plain_blocks(blocks_of(result)), allow_nan=False)
        assert "<h2>" in page, name
        assert "not a number examples" not in page, name
        assert "infinite examples" not in page, name
        assert all(picture.data for picture in result.figures()), name


def test_what_nobody_can_draw_says_so(made):
    with pytest.raises(ShowError, match="no picture of a dict"):
        blocks_of({})
    for kind in (undertow.Swept, undertow.Graph, undertow.Linearization):
        assert not issubclass(kind, Shown)


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"run"}))
def test_what_is_kept_with_a_run_comes_back_as_it_was(made, name, tmp_path):
    made[name].keep(made["run"])
    again = [*kept_blocks(Run(made["run"].folder))]
    shutil.rmtree(made["run"].folder / "results")
    assert plain_blocks(again) == plain_blocks(blocks_of(made[name]))
    assert page("run", again[0], [], again[1:]).count("<section") == len(again)


SEEN = {
    "light": ("line", "plane", "spectrum", "review", "eigen", "batch-noise", "derivation", "flow"),
    "dark": ("path", "forecast", "standstill", "edge", "preflight", "strongest-path"),
}


@pytest.mark.parametrize("theme", SEEN)
def test_results_are_drawn_in_their_frames_in_the_colours_of_the_notebook(browser, made, tmp_path, theme):  # noqa: F811
    framed = {name: made[name] for name in SEEN[theme]}
    body = "\n".join(f'<div id="{name}">{result._repr_html_()}</div>' for name, result in framed.items())
    page = tmp_path / "notebook.html"
    host = f'<!doctype html><meta charset="utf-8"><body data-jp-theme-light="{str(theme == "light").lower()}">{body}'
    page.write_text(host, encoding="utf-8")
    other = "dark" if theme == "light" else "light"
    driver = shown(browser, page.as_uri(), theme=other)
    driver.implicitly_wait(10)
    for name, result in framed.items():
        frame = driver.find_element("css selector", f"#{name} iframe")
        driver.switch_to.frame(frame)
        if result.figures():
            driver.find_element("css selector", ".figure .main-svg")
        assert driver.execute_script("return document.documentElement.dataset.theme") == theme
        assert driver.execute_script("return document.documentElement.scrollWidth <= innerWidth + 1"), name
        driver.switch_to.default_content()
    driver.implicitly_wait(0)
    assert not [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]
