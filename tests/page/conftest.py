"""Pages in a browser: skipped, with the reason, where none is installed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fastweights.cli import main
from fastweights.experiments.experiment import PageContents
from fastweights.experiments.page import Precision, filled, write_memory

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

import page_browser

Open = Callable[..., page_browser.Opened]


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """One Chromium for all tests of a process."""
    lacking = page_browser.lacking()
    if lacking:
        pytest.skip(lacking)
    with page_browser.started() as browser:
        yield browser


@pytest.fixture
def opened(browser: Any) -> Iterator[Open]:
    """Return what opens a file in a context of its own."""
    contexts = []

    def open_page(file: Path, fragment: str = "", **context: Any) -> page_browser.Opened:
        found = page_browser.Opened(browser, **context)
        contexts.append(found.context)
        return found.goto(file, fragment)

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture
def filled_page(opened: Open, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Return what opens the page of some contents."""

    def open_contents(contents: PageContents, precision: Precision = "float32") -> Any:
        file = tmp_path_factory.mktemp("page") / "page.html"
        file.write_text(filled(contents, precision))
        return opened(file)

    return open_contents


@pytest.fixture(scope="session")
def retrieval_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that answers questions of 4 pairs, trained in some seconds."""
    folder = tmp_path_factory.mktemp("runs") / "retrieval"
    words = "train retrieval --steps 1600 --test-samples 500 --out"
    assert main([*words.split(), str(folder)]) == 0
    return folder


@pytest.fixture(scope="session")
def retrieval_page(retrieval_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("pages") / "retrieval.html"
    assert main(["page", str(retrieval_run), "--out", str(file)]) == 0
    return file


@pytest.fixture(scope="session")
def memory_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("pages") / "memory.html"
    write_memory(file)
    return file
