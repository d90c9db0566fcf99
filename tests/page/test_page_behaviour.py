"""What a person does with a page: types, steps, plays, breaks the memory; with a keyboard, on any width, offline."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from page_made import fwm

from fastweights.experiments.page import filled
from fastweights.experiments.retrieval.predict import ask

AXE = Path(__file__).parents[2] / "page" / "node_modules" / "axe-core" / "axe.min.js"
WIDTHS = (390, 1280, 1600)

Visit = Callable[..., Any]


@pytest.fixture(scope="module")
def catbabi_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("pages") / "catbabi.html"
    file.write_text(filled(fwm()[1], "float16"))
    return file


@pytest.fixture(scope="module")
def files(retrieval_page: Path, catbabi_page: Path, memory_page: Path) -> dict[str, Path]:
    return {"retrieval": retrieval_page, "catbabi": catbabi_page, "memory": memory_page}


@pytest.fixture
def visit(files: dict[str, Path], opened: Any) -> Iterator[Visit]:
    """Return what opens a page by its name; at the end none has complained, or asked for anything but itself."""
    seen = []

    def go(name: str, fragment: str = "", **context: Any) -> Any:
        found = opened(files[name], fragment, **context)
        seen.append(found)
        return found.page

    yield go
    for each in seen:
        assert each.complaints == []
        assert {url.partition(":")[0] for url in each.requests} <= {"file", "data"}
        assert len([url for url in each.requests if url.startswith("file:")]) == 1


def answer(page: Any) -> str:
    return page.locator(".answer").get_attribute("data-answer")


def test_a_question_typed_key_by_key(visit: Visit, retrieval_run: Path) -> None:
    page = visit("retrieval")
    field, hint = page.get_by_label("a sequence, and the letter"), page.locator(".question .hint")
    field.fill("")
    said = {}
    for symbol in "c9k8??k":
        field.press_sequentially(symbol)
        said[field.input_value()] = hint.inner_text()
    assert said["c"] == "Now a digit for c."
    assert said["c9k8"] == "Now ask: c9k8??c"
    assert said["c9k8?"].startswith("One more ?")
    assert said["c9k8??"].startswith("Now one of its letters")
    right = ask(retrieval_run)("c9k8??k")
    assert answer(page) == right["answer"]
    shown = float(page.locator(".answer").get_attribute("data-probability"))
    assert shown == pytest.approx(right["probability"], abs=1e-5)
    shares = [f"{100 * share:.0f} %" for share in right["attention"][:-1]]
    labels = page.locator(".symbol").evaluate_all("all => all.map(e => e.ariaLabel)")
    assert [re.findall(r"(\d+ %) of the read", label) for label in labels[:-1]] == [
        [s] for s in shares
    ]
    for typed, part in {
        "cc": "Symbol 2 is c, and a digit belongs there",
        "c9k8??x": "x has no digit here. Its letters: c, k",
        "c9ü8": "“ü” is not one of its symbols",
        "c9??c?": "It ends with the letter asked for",
    }.items():
        field.fill(typed)
        assert part in hint.inner_text() and field.get_attribute("aria-invalid") == "true"


def test_steps_by_keys_buttons_and_play(visit: Visit) -> None:
    page = visit("retrieval", "q=c9k8j3f1??j")
    count = page.locator(".count")
    assert count.inner_text() == "11/11" and answer(page) == "3"
    for key, place in (("ArrowLeft", 10), ("Home", 1), ("ArrowRight", 2), ("End", 11)):
        page.keyboard.press(key)
        page.locator(".count", has_text=f"{place}/11").wait_for()
    for _ in range(3):
        page.keyboard.press("ArrowLeft")  # faster than pictures are drawn
    page.locator(".count", has_text="8/11").wait_for()
    page.get_by_role("button", name="first step").click()
    assert count.inner_text() == "1/11"
    assert "still empty" in page.locator(".sentence").inner_text()
    assert page.locator(".answer > p").inner_text() == "if it had to answer now"
    page.get_by_role("button", name="Play").click()
    page.locator(".count", has_text="3/11").wait_for()  # a function to wait for would be an eval
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name=re.compile("^step 9")).click()
    assert count.inner_text() == "9/11"
    before = page.get_by_label("a sequence").input_value()
    page.keyboard.press("r")
    assert page.get_by_label("a sequence").input_value() != before
    page.get_by_label("a sequence").press("Home")  # a field's own
    assert count.inner_text() == "11/11"


def test_twenty_six_pairs_and_what_is_stored_under_each(visit: Visit) -> None:
    page = visit("retrieval", viewport={"width": 390, "height": 800})
    page.locator(".question select").select_option("26")
    assert page.locator(".symbol").count() == 55 and page.locator(".stored li").count() == 26
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    letter = page.locator(".stored button").nth(3)
    letter.click()
    assert page.get_by_label("a sequence").input_value().endswith(f"??{letter.inner_text()}")
    said = page.locator(".stored li").nth(3).locator(".spark").get_attribute("aria-label")
    assert f": {answer(page)} with" in said


def accuracy(page: Any) -> float:
    page.wait_for_selector(".accuracy[data-accuracy]", timeout=60_000)
    return float(page.locator(".accuracy").get_attribute("data-accuracy"))


def test_a_thousand_questions_fall_to_chance_without_the_memory(visit: Visit) -> None:
    page = visit("retrieval")
    assert accuracy(page) > 0.9
    assert "38\u00a0%" in page.locator(".marks").inner_text()
    slider = page.get_by_label("decay")
    slider.focus()
    for _ in range(60):
        slider.press("ArrowLeft")
    assert page.locator(".slider output").first.inner_text() == "0.35"
    page.wait_for_selector(".accuracy:not([data-accuracy])")
    assert accuracy(page) < 0.6
    page.get_by_role("button", name="back to 0.95").click()
    page.get_by_role("switch", name="no memory").click()
    page.wait_for_selector(".accuracy:not([data-accuracy])")
    assert accuracy(page) < 0.45
    assert "switched off" in page.locator(".sentence").inner_text()


def test_a_story_typed_and_the_rules_beside_it(visit: Visit) -> None:
    page = visit("catbabi")
    rules = page.locator(".rules")
    assert "wolf" in rules.inner_text() and "gertrude is a mouse." in rules.inner_text()
    assert page.locator(".told .word.support").count() > 3
    page.get_by_role("button", name="Next story").click()
    assert page.get_by_label("a story of bAbI").input_value() == "1"
    assert (
        page.locator(".words button").count()
        == page.locator(".words .own, .words .given").count()
        == 5
    )
    page.get_by_role("button", name="question 2").click()
    assert page.get_by_role("button", name="question 2").get_attribute("aria-pressed") == "true"
    page.wait_for_selector("[data-right]", timeout=60_000)
    field, hint = page.get_by_label("or your own"), page.locator(".typed .hint")
    field.fill("Mary went to the kichen. Where is Mary?")
    assert "“kichen” is not one of the" in hint.inner_text() and "“kitchen”" in hint.inner_text()
    field.fill("Mary went to the kitchen.")
    assert hint.inner_text().startswith("Now ask something")
    field.fill("Mary went to the kitchen. Where is Mary?")
    assert page.locator(".rules").count() == 0 and page.locator(".read").count() == 3
    page.get_by_role("button", name="it reads once").click()
    assert page.locator(".read").count() == 1
    page.locator(".read button").click()
    assert page.locator(".read button").get_attribute("aria-pressed") == "true"


def test_facts_written_by_hand(visit: Visit) -> None:
    page = visit("memory")

    def right() -> list[str]:
        return [
            page.locator(f".side-{kind}").get_attribute("data-right")
            for kind in ("product", "joined")
        ]

    assert right() == ["4", "3"]
    page.get_by_role("button", name="Write", exact=True).click()
    assert page.locator(".facts-written li").count() == 5
    page.get_by_role("button", name="mary · thing").click()
    assert right() == ["2", "2"] and page.locator(".facts-written .later").count() == 3
    page.get_by_role("button", name="Hebb: a change of mind").click()
    assert right() == ["1", "1"] and page.locator(".found .wrong").first.inner_text() == "✗ a tie"
    page.get_by_role("button", name="the delta rule replaces").click()
    assert right()[0] == "2"
    page.get_by_role("button", name="a hundred facts").click()
    product, joined = map(int, right())
    assert product == 100 and joined < 50
    page.get_by_role("button", name="start empty").click()
    page.get_by_label("who", exact=True).fill(" ")
    page.get_by_role("button", name="Write", exact=True).click()
    assert "A word is missing: who" in page.locator(".write .hint").inner_text()


@pytest.mark.parametrize("name", ["retrieval", "catbabi", "memory"])
def test_nothing_is_wider_than_the_window(visit: Visit, name: str) -> None:
    page = visit(name)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", ["retrieval", "catbabi", "memory"])
def test_axe_finds_no_violation(visit: Visit, name: str, theme: str) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not installed (make page)")
    page = visit(name, color_scheme=theme)
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run().then(({violations}) => violations)")
    assert [
        (each["id"], [node["html"][:200] for node in each["nodes"]][:3]) for each in found
    ] == []


def test_the_address_sets_theme_and_question(visit: Visit, retrieval_run: Path) -> None:
    for theme, dark in (("light", False), ("dark", True)):
        page = visit(
            "retrieval", f"theme={theme}&q=a1b2??b", color_scheme="light" if dark else "dark"
        )
        assert page.get_by_label("a sequence").input_value() == "a1b2??b"
        red = int(
            re.findall(
                r"\d+", page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
            )[0]
        )
        assert (red < 80) is dark


def test_in_a_frame_it_posts_its_height(opened: Any, retrieval_page: Path, tmp_path: Path) -> None:
    outer = tmp_path / "outer.html"
    frame = f'<iframe sandbox="allow-scripts" src="{retrieval_page.as_uri()}"></iframe>'
    listen = "addEventListener('message', ({data}) => { window.height = data.height })"
    outer.write_text(f"<script>{listen}</script>{frame}")
    page = opened(outer).page
    page.wait_for_function("window.height > 500")


def test_in_a_frame_of_the_site_it_has_its_height_and_theme(
    opened: Any, memory_page: Path, tmp_path: Path
) -> None:
    script = (Path(__file__).parents[2] / "docs" / "_static" / "live.js").read_text()
    frame = (
        f'<iframe class="live-page" sandbox="allow-scripts" src="{memory_page.as_uri()}"></iframe>'
    )
    outer = tmp_path / "outer.html"
    outer.write_text(f'<body data-theme="auto">{frame}<script>{script}</script>')
    page = opened(outer, viewport={"width": 1280, "height": 800}, color_scheme="light").page
    page.wait_for_function("document.querySelector('iframe').clientHeight > 1000")
    inner = page.frames[1]
    assert inner.evaluate("document.documentElement.scrollHeight <= innerHeight")
    page.evaluate("document.body.dataset.theme = 'dark'")
    page.wait_for_timeout(500)
    assert (
        page.frames[1].evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"
    )


@pytest.mark.parametrize(
    ("tried", "directive"),
    [
        ("fetch('https://example.org/').catch(() => 0)", "connect-src"),
        ("new WebSocket('wss://example.org/')", "connect-src"),
        ("setTimeout('window.ran = true')", "script-src"),
        ("const s = document.createElement('script'); s.text = 'ran = 1'; document.head.append(s)", "script-src"),
        ("document.body.append(Object.assign(new Image(), {src: 'https://example.org/a.png'}))", "img-src"),
        ("document.body.insertAdjacentHTML('beforeend', '<b style=\"color: red\">b</b>')", "style-src"),
    ],
    ids=lambda given: given[:24],
)  # fmt: skip
def test_the_policy_refuses(opened: Any, memory_page: Path, tried: str, directive: str) -> None:
    page = opened(memory_page).page
    refused = page.evaluate(
        """async (tried) => {
            const refused = new Promise((resolve) => {
                addEventListener("securitypolicyviolation", (event) => resolve(event.effectiveDirective));
                setTimeout(() => resolve("nothing"), 5000);
            });
            try { (0, eval)(tried) } catch {}  // what is evaluated from outside goes around the policy
            return await refused;
        }""",
        tried,
    )
    assert refused.startswith(directive)
    assert page.evaluate("window.ran") is None


def test_a_browser_that_lacks_something_shows_one_line(opened: Any, memory_page: Path) -> None:
    page = opened(memory_page, java_script_enabled=False).page
    assert page.locator("body").inner_text().strip().startswith("This page computes in the browser")
    assert page.locator("body").inner_text().strip().count("\n") == 0
    old = opened(memory_page).context.new_page()
    old.add_init_script("CSS.supports = () => false")
    old.goto(memory_page.as_uri())
    assert old.locator("h1").count() == 0 and old.locator(".needs").count() == 1


def test_the_empty_template_says_what_fills_it(opened: Any) -> None:
    template = Path(__file__).parents[2] / "src" / "fastweights" / "page" / "template.html"
    assert "fastweights page RUN" in opened(template).page.locator(".needs").inner_text()
