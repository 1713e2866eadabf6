"""The page in a browser without a window: typed in, clicked, downloaded, at phone width, in dark.

Needs playwright (the extra `browser`) and a Chromium: its own (`playwright install chromium`) or
the machine's.
"""

import json
import shutil

import pytest
import requests

from biobert_jax.inference.formats.registry import FORMATS
from tests.inference.conftest import TEXT
from tests.inference.serving.conftest import serving

playwright = pytest.importorskip(
    "playwright.sync_api", reason="playwright, the extra `browser`, is not installed"
)

HOSTILE = TEXT + ' <img src=x onerror="document.title=1"> 💊 شفى <b>knee</b> & 12 patients.'


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        own = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chrome"))), None)
        try:
            made = started.chromium.launch(executable_path=own, args=["--no-sandbox"])
        except playwright.Error as error:
            pytest.skip(f"no Chromium: {str(error).splitlines()[0]}")
        yield made
        made.close()


@pytest.fixture
def page(browser, service):
    opened = browser.new_page(accept_downloads=True)
    opened.set_default_timeout(60_000)
    problems = []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
    opened.goto(service + "/")
    shows_models(opened)
    yield opened
    opened.close()
    assert not problems  # of scripts, or of what the policy forbids


def shows_models(page):
    # Not wait_for_function: the page's policy forbids what it evaluates.
    playwright.expect(page.locator("#models")).to_contain_text("entities", timeout=60_000)


def annotate(page, text):
    page.fill("#text", text)
    page.click("#annotate")
    page.wait_for_selector("#found:not([hidden])")


def test_entities_relations_and_their_table(page, service):
    annotate(page, HOSTILE)
    found = service.post("/v1/annotate", texts=[HOSTILE], relations=True)["documents"][0]
    marks = page.eval_on_selector_all(
        "#marked mark", "all => all.map(m => [m.firstChild.data, m.lastChild.textContent])"
    )
    assert marks == [[e["text"], f"{e['type']} {e['score']:.2f}"] for e in found["entities"]]
    assert marks
    plain = page.evaluate(
        "[...document.querySelectorAll('#marked small')].forEach(s => s.remove()),"
        "document.getElementById('marked').textContent"
    )
    assert plain == HOSTILE  # as text, markup of the user's and all
    assert page.query_selector("#marked img, #marked b") is None
    assert page.locator("#entities tbody tr").count() == len(found["entities"])
    assert page.locator("#relation-table tbody tr").count() == len(found.get("relations", []))


def test_a_type_can_be_hidden(page):
    annotate(page, TEXT)
    shown = page.locator("#marked mark:not(.off)").count()
    page.locator("#types input").first.uncheck()
    assert page.locator("#marked mark:not(.off)").count() < shown
    page.locator("#types input").first.check()
    assert page.locator("#marked mark:not(.off)").count() == shown


def test_every_download_is_what_the_service_gives(page, service, tmp_path):
    annotate(page, TEXT)
    buttons = page.locator("#downloads button")
    assert buttons.count() == len(FORMATS)
    for i in range(buttons.count()):
        form = buttons.nth(i).get_attribute("data-format")
        with page.expect_download() as download:
            buttons.nth(i).click()
        download.value.save_as(tmp_path / form)
        body = {"texts": [TEXT], "ids": ["1"], "relations": True, "format": form}
        ours = requests.post(f"{service}/v1/annotate", json=body, timeout=60)
        assert (tmp_path / form).read_bytes() == ours.content


def test_by_keyboard_alone(page):
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.focus("#text")
    page.keyboard.insert_text(TEXT)
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#found:not([hidden])")
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "question":
            break
    page.keyboard.insert_text("What?")
    page.keyboard.press("Enter")
    page.wait_for_selector("#answers li")
    answer = page.locator("#answers li").first
    assert answer.locator("strong").inner_text() in TEXT
    assert answer.locator(".answer").inner_text() == answer.locator("strong").inner_text()


def test_an_example_and_an_empty_text(page):
    page.click("#annotate")
    assert "Paste a text" in page.inner_text("#status")
    page.select_option("#example", index=1)
    assert "cisapride" in page.input_value("#text")
    page.fill("#text", "a" * 5001)
    page.click("#annotate")
    assert "too long" in page.inner_text("#status")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_phone_and_dark(browser, service, scheme):
    view = {"width": 360, "height": 740}
    page = browser.new_page(viewport=view, color_scheme=scheme)
    page.goto(service + "/")
    shows_models(page)
    annotate(page, TEXT + " " + "A" * 300)
    assert page.evaluate("document.documentElement.scrollWidth") <= view["width"]
    back = page.evaluate("getComputedStyle(document.body).backgroundColor")
    light = sum(json.loads(f"[{back[4:-1]}]")) > 3 * 128
    assert light == (scheme == "light")
    page.close()


def test_token(browser, models):
    with serving(models[:1], token="sesame") as address:
        page = browser.new_page()
        page.goto(address + "/")
        page.wait_for_selector("#access:not([hidden])")
        page.fill("#token", "sesame")
        page.keyboard.press("Tab")
        shows_models(page)
        annotate(page, TEXT)
        page.close()
