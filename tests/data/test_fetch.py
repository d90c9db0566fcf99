"""Fetching the release, from files and made-up replies: whole and checked, or not at all."""

from __future__ import annotations

import http.server
import io
import json
import tarfile
import threading
from pathlib import Path

import pytest

import fastweights
from babi_made import make_release
from fastweights.cli import main
from fastweights.data import babi_files, fetch
from fastweights.data.catalogue import BABI, CATALOGUE
from fastweights.errors import UserError


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An archive whose files are taken for the published ones."""
    release = make_release(tmp_path / "made", 2)
    make_release(tmp_path / "small", 2, size="1k")
    path = tmp_path / "served.tar.gz"
    digests = {}
    with tarfile.open(path, "w:gz") as packed:
        for folder in (release, tmp_path / "small" / release.name):
            packed.add(folder, release.name)
            for file in folder.rglob("*.txt"):
                name = str(file.relative_to(folder).as_posix())
                digests[name] = babi_files.git_digest(file.read_bytes())
    monkeypatch.setattr(babi_files, "published_digests", lambda: digests)
    return path


@pytest.fixture(autouse=True)
def pauses(monkeypatch):
    """Seconds that would have been waited."""
    slept = []
    monkeypatch.setattr("time.sleep", slept.append)
    return slept


class Reply(io.BytesIO):
    """What an opener gives: some bytes, and how many were announced."""

    def __init__(self, content: bytes, announced: int | None = None) -> None:
        super().__init__(content)
        self.headers = {} if announced is None else {"Content-Length": str(announced)}


def test_it_is_fetched_once(archive, tmp_path):
    told = []
    first = fetch.get(
        BABI,
        tmp_path / "data",
        addresses=[archive.as_uri()],
        progress=lambda done, total: told.append((done, total)),
    )
    assert first == (tmp_path / "data/babi/tasks_1-20_v1-2.tar.gz", (archive.as_uri(),), 120)
    assert first.path.read_bytes() == archive.read_bytes()
    assert told[-1] == (archive.stat().st_size,) * 2
    again = fetch.get(BABI, tmp_path / "data", addresses=["nowhere"])
    assert again == (first.path, (), 120)


def test_the_next_address_is_tried(archive, tmp_path):
    content = archive.read_bytes()

    def opener(address: str) -> Reply:
        if address == "down":
            raise OSError("no route")
        return Reply(
            *{"cut": (content[:999], 5000), "other": (b"<html>",), "good": (content,)}[address]
        )

    got = fetch.get(BABI, tmp_path, addresses=["down", "cut", "other", "good"], opener=opener)
    assert got.addresses == ("good",)
    with pytest.raises(UserError) as refused:
        fetch.get(BABI, tmp_path / "none", addresses=["down", "cut", "other"], opener=opener)
    for said in (
        "down: no route",
        "cut: the connection ended after 999 of 5000",
        "other: ",
        "--data-dir",
    ):
        assert said in str(refused.value)
    assert not (tmp_path / "none").exists()


class Server(http.server.BaseHTTPRequestHandler):
    """Fails as often as it is told, then serves; keeps who asked."""

    failures: list[int]
    agents: list[str | None]
    content: bytes

    def do_GET(self) -> None:
        self.agents.append(self.headers["User-Agent"])
        code = self.failures.pop(0) if self.failures else 200
        self.send_response(code)
        self.end_headers()
        if code == 200:
            self.wfile.write(self.content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def served(archive, monkeypatch):
    """A server's class, and the address of what it serves."""

    monkeypatch.setenv("no_proxy", "127.0.0.1")

    class Own(Server):
        failures, agents, content = [], [], archive.read_bytes()

    with http.server.HTTPServer(("127.0.0.1", 0), Own) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield Own, f"http://127.0.0.1:{server.server_port}/a.tar.gz"
        finally:
            server.shutdown()
            thread.join()


def test_a_server_that_is_busy_is_asked_again_and_told_who_asks(served, tmp_path, pauses):
    server, address = served
    server.failures += [503, 429]
    assert fetch.get(BABI, tmp_path, addresses=[address]).addresses == (address,)
    assert server.agents == [f"fastweights/{fastweights.__version__}"] * 3
    assert pauses == list(fetch.PAUSES)


@pytest.mark.parametrize(("code", "times"), [(404, 1), (403, 1), (500, 3)])
def test_how_often_a_server_is_asked(served, tmp_path, code, times):
    server, address = served
    server.failures += [code] * 9
    with pytest.raises(UserError, match=f"HTTP Error {code}"):
        fetch.get(BABI, tmp_path, addresses=[address])
    assert len(server.agents) == times
    assert not (tmp_path / "babi").exists()


def test_a_connection_that_breaks_is_taken_up_again(archive, tmp_path, pauses):
    content = archive.read_bytes()
    replies = iter([OSError("reset"), Reply(content[:99], len(content)), Reply(content)])

    def opener(address: str) -> Reply:
        reply = next(replies)
        if isinstance(reply, OSError):
            raise reply
        return reply

    assert fetch.get(BABI, tmp_path, addresses=["a"], opener=opener).path.read_bytes() == content
    assert len(pauses) == 2


@pytest.mark.parametrize("name", CATALOGUE)
def test_plain_http_is_asked_last(name, tmp_path):
    asked = []

    def opener(address: str) -> Reply:
        asked.append(address.split(":")[0])
        raise ValueError("not this one")

    with pytest.raises(UserError, match="not this one"):
        fetch.get(CATALOGUE[name], tmp_path, opener=opener)
    assert asked == sorted(asked, reverse=True) and asked[0] == "https"
    with pytest.raises(UserError):  # as they are given
        fetch.get(CATALOGUE[name], tmp_path, addresses=["http://a", "https://b"], opener=opener)
    assert asked[-2:] == ["http", "https"]


def test_another_release_is_refused_and_leaves_nothing(archive, tmp_path, monkeypatch):
    digests = babi_files.published_digests()
    for change, complaint in (
        ({"en-valid/qa1_test.txt": "0" * 40}, r"en-valid/qa1_test\.txt is not that of"),
        ({"en-valid/qa21_test.txt": "0" * 40}, r"en-valid/qa21_test\.txt is missing"),
    ):
        monkeypatch.setattr(babi_files, "published_digests", lambda change=change: digests | change)
        with pytest.raises(UserError, match=complaint):
            fetch.get(BABI, tmp_path / "data", addresses=[archive.as_uri()])
        assert not (tmp_path / "data" / "babi").exists()


def test_an_interrupt_leaves_nothing(archive, tmp_path):
    def interrupt(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch.get(BABI, tmp_path / "data", addresses=[archive.as_uri()], progress=interrupt)
    assert not (tmp_path / "data" / "babi").exists()


def test_a_folder_that_is_found_first_is_named(archive, tmp_path):
    broken = make_release(tmp_path / "data" / "babi", 2, tasks=(1,), seed=9)
    with pytest.raises(UserError, match=f"{broken.name} is found first"):
        fetch.get(BABI, tmp_path / "data", addresses=[archive.as_uri()])


def test_the_command(archive, tmp_path, capsys):
    words = ["data", "get", "babi", "--data-dir", str(tmp_path / "d"), "--url", archive.as_uri()]
    assert main([*words, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["files"] == 120 and Path(said["path"]).is_file()
    assert main(words) == 0
    assert "was there already" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["data", "gte"], "did you mean 'get'"),
        (["data", "get", "babbi"], "did you mean 'babi'"),
        (["data", "get", "--url", "nonsense"], "unknown url type"),
        (["data", "get", "--url", "file:///nowhere.tar.gz"], "No such file"),
    ],
)
def test_slips(words, complaint, capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("FASTWEIGHTS_DATA", str(tmp_path))
    assert main(words) == 2
    said = capsys.readouterr().err
    assert complaint in said and said.count("\n") == 1
