"""Texts: published ones found, known by their checksums and fetched; any file read, or refused in one clear line."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastweights.cli import main
from fastweights.data import fetch, text
from fastweights.data.catalogue import CATALOGUE
from fastweights.errors import UserError
from text_made import make_text


@pytest.fixture(params=["ptb", "wikitext-2"])
def published(request, tmp_path, monkeypatch):
    """A name of a published text, and a folder with a small text that is taken for it."""
    name = request.param
    made = [Path(path) for path in make_text(tmp_path / "made")]
    known = text.CORPORA
    digests = {path.stem: hashlib.sha256(path.read_bytes()).hexdigest() for path in made}
    corpus = known[name]
    for path in made:
        path.rename(path.with_name(corpus.files[path.stem][0]))
    for split, digest in digests.items():
        monkeypatch.setitem(corpus.digests, split, digest)
    return name, tmp_path / "made"


def test_it_is_found_packed_or_not_under_any_of_its_names(published, tmp_path, monkeypatch):
    name, made = published
    expected = text.read(name, text.find(name, made))
    assert expected.train.count("\n") == 200 and expected.test.count("\n") == 30
    corpus = text.CORPORA[name]
    for number, place in enumerate(corpus.places):
        for packed in (False, True):
            root = tmp_path / f"{number}-{packed}"
            (root / place).mkdir(parents=True)
            for names in corpus.files.values():
                content = (made / names[0]).read_bytes()
                target = root / place / names[number % 2]
                if packed:
                    Path(f"{target}.gz").write_bytes(gzip.compress(content, mtime=0))
                else:
                    target.write_bytes(content)
            assert text.find(name, root) == root / place
            assert text.read(name, root / place) == expected
            monkeypatch.setenv("FASTWEIGHTS_DATA", str(root))
            assert text.find(name) == root / place


def test_a_stray_file_does_not_hide_the_whole_text(published, tmp_path):
    name, made = published
    root = tmp_path / "root"
    shutil.copytree(made, root / name)
    (root / "test.txt").write_text("another")
    assert text.find(name, root) == root / name


def test_what_is_not_there(published, tmp_path, monkeypatch):
    name, made = published
    (tmp_path / "none").mkdir()
    monkeypatch.setenv("FASTWEIGHTS_DATA", str(tmp_path / "none"))
    for given_dir in (tmp_path / "none", None):
        with pytest.raises(UserError, match=f"fastweights data get {name}"):
            text.find(name, given_dir)
    first = text.CORPORA[name].files["valid"][0]
    with pytest.raises(UserError, match="is a file"):
        text.find(name, made / first)
    (made / first).unlink()
    with pytest.raises(UserError, match=f"made lacks {first} "):
        text.read(name, text.find(name, made))
    with pytest.raises(UserError, match="did you mean 'ptb'"):
        text.find("ptbb")


DAMAGE = {
    "cut short": (lambda content: content[:-9], "its checksum is another"),
    "packed and cut": (lambda content: gzip.compress(content, mtime=0)[:-9], "it is damaged"),
    "empty": (lambda content: b"", "its checksum is another"),
    "not UTF-8": (lambda content: b"\xff" + content, "its checksum is another"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_named(published, damage):
    name, made = published
    path = made / text.CORPORA[name].files["valid"][0]
    change, complaint = DAMAGE[damage]
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(UserError, match=complaint) as refused:
        text.read(name, made)
    assert str(path) in str(refused.value) and "\n" not in str(refused.value)


@pytest.fixture
def catalogued(published, monkeypatch):
    """The same, and where it would be fetched."""
    name, made = published
    return name, made, CATALOGUE[name]


def test_it_is_fetched_file_by_file_and_once(catalogued, tmp_path):
    name, made, entry = catalogued
    first = fetch.get(entry, tmp_path / "data", addresses=["down", made.as_uri()])
    assert first.path == tmp_path / "data" / name and first.files == len(first.addresses) == 3
    assert text.read(name, first.path) == text.read(name, made)
    assert fetch.get(entry, tmp_path / "data", addresses=["nowhere"]) == (first.path, (), 3)
    (first.path / entry.files[1]).write_text("cut")
    mended = fetch.get(entry, tmp_path / "data", addresses=[made.as_uri()])
    assert [address.rpartition("/")[2] for address in mended.addresses] == [entry.files[1]]


def test_another_text_is_not_taken(catalogued, tmp_path):
    _, made, entry = catalogued
    shutil.copy(made / entry.files[2], made / entry.files[1])
    with pytest.raises(UserError, match=f"not {entry.title}'s valid"):
        fetch.get(entry, tmp_path / "data", addresses=[made.as_uri()])


def test_addresses_are_of_one_commit_each():
    for name in text.CORPORA:
        for address in CATALOGUE[name].addresses:
            assert any(len(part) == 40 for part in address.split("/")), address


def test_the_command(catalogued, tmp_path, capsys):
    name, made, entry = catalogued
    words = ["data", "get", name, "--data-dir", str(tmp_path / "data"), "--url", made.as_uri()]
    assert main([*words, "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["files"] == 3
    assert ("no open licence" in said.err) == (name == "ptb") and said.err.count("\n") <= 1
    assert main(words) == 0
    said = capsys.readouterr()
    assert "was there already" in said.out and not said.err and entry.title in said.out


def written(folder: Path, content: bytes) -> Path:
    path = folder / "a text.txt"
    path.write_bytes(content)
    return path


def test_lines_end_alike(tmp_path):
    for content in (b"a b\nc", b"a b\r\nc\r\n", b"a b\rc\n", b"\xef\xbb\xbfa b\nc\n"):
        assert text.read_file(written(tmp_path, content)) == "a b\nc\n"
    packed = written(tmp_path, gzip.compress("ä\n".encode()))
    assert text.read_file(packed) == text.read_file(str(packed)) == "ä\n"


SLIPS = {
    b"": "is empty",
    b" \n\t\n": "is empty",
    b"caf\xc3\xa9\ncaf\xe9\n": r"is not UTF-8: byte 9 \(0xe9\)",
    b"\xef\xbb\xbfa\xff": r"byte 4 \(0xff\)",
    "a b".encode("utf-16"): r"byte 0 \(0xff\)",
    gzip.compress(b"a b\n" * 99, mtime=0)[:-9]: "is damaged",
}


@pytest.mark.parametrize("content", SLIPS)
def test_files_that_are_no_texts(content, tmp_path):
    with pytest.raises(UserError, match=rf"a text\.txt.*{SLIPS[content]}") as refused:
        text.read_file(written(tmp_path, content))
    assert "\n" not in str(refused.value)


def test_files_that_are_none(tmp_path):
    with pytest.raises(UserError, match="no home folder is known for '~no such user/a'"):
        text.read_file("~no such user/a")
    with pytest.raises(UserError, match=r"no such text: .*none \(a file, or one of ptb, wiki"):
        text.read_file(tmp_path / "none")
    with pytest.raises(UserError, match="is a folder"):
        text.read_file(tmp_path)
    with pytest.raises(UserError, match="cannot be read: Not a directory"):
        text.read_file(written(tmp_path, b"a") / "below")


@given(lines=st.lists(st.text(st.sampled_from("ab ")), min_size=3, max_size=90))
def test_a_cut_keeps_every_line_in_its_order(lines):
    whole = "".join(f"{line}\n" for line in lines)
    parts = text.cut(whole)
    assert "".join(parts) == whole
    train, valid, test = (part.count("\n") for part in parts)
    assert valid == test == max(1, len(lines) // 20) and train >= 1


@pytest.mark.parametrize("lines", ["a\n", "a\nb\n"])
def test_too_few_lines_to_cut(lines):
    with pytest.raises(UserError, match="cannot be cut into train, valid and test"):
        text.cut(lines)
