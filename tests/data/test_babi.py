"""Finding, checking and reading the release, in a folder or in its archive; what is wrong is named."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import tarfile
from pathlib import Path

import pytest

from babi_made import make_release
from fastweights.data import babi, babi_files
from fastweights.errors import UserError
from fastweights.io.cache import data_root, made_root

PART = "en-valid-10k_qa3_train_first185of1800.txt.gz"


@pytest.fixture
def release(tmp_path: Path) -> Path:
    return make_release(tmp_path / "made", 2, tasks=(1, 3))


def pack(release: Path, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, f"w:{path.suffix[1:]}") as archive:
        archive.add(release, release.name)
    return path


def test_it_is_found_wherever_it_may_lie(release, tmp_path, monkeypatch):
    asked = [release, release.parent, release / "en-valid-10k"]
    shutil.copytree(release.parent, tmp_path / "holder" / "babi")
    asked.append(tmp_path / "holder")
    archives = [
        pack(release, tmp_path / f"{n}/babi/tasks_1-20_v1-2_en.tar.{n}") for n in ("gz", "xz")
    ]
    asked += [*archives, archives[0].parent, archives[1].parent.parent]
    expected = babi.read(babi_files.find(release), tasks=(1, 3))
    for place in asked:
        assert babi.read(babi_files.find(place), tasks=(1, 3)) == expected
    monkeypatch.setenv("FASTWEIGHTS_DATA", str(tmp_path / "holder"))
    assert babi_files.find().path == tmp_path / "holder" / "babi" / release.name


def test_where_it_is_not(tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"data get babi.*--data-dir"):
        babi_files.find(tmp_path)
    monkeypatch.setenv("FASTWEIGHTS_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match="FASTWEIGHTS_DATA"):
        babi_files.find()
    (tmp_path / "notes.txt").touch()
    with pytest.raises(UserError, match=r"no \.tar\.gz"):
        babi_files.find(tmp_path / "notes.txt")


def test_the_folders_follow_the_environment(tmp_path, monkeypatch):
    monkeypatch.delenv("FASTWEIGHTS_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert data_root() == tmp_path / "fastweights" / "data"
    assert made_root() == tmp_path / "fastweights" / "made"
    monkeypatch.setenv("FASTWEIGHTS_DATA", "~/sets")
    assert data_root() == Path("~/sets").expanduser()


def test_without_a_home_there_is_one_clear_line(monkeypatch):
    for name in ("FASTWEIGHTS_DATA", "XDG_CACHE_HOME", "HOME", "USERPROFILE"):
        monkeypatch.delenv(name, raising=False)
    if os.name != "nt":

        def unknown(user):
            raise KeyError(user)

        monkeypatch.setattr("pwd.getpwuid", unknown)
    for ask in (data_root, made_root, babi_files.find):
        with pytest.raises(UserError, match=r"no home folder .* set HOME, XDG.* FASTWEIGHTS_DATA"):
            ask()
    monkeypatch.setenv("FASTWEIGHTS_DATA", "~no such user/x")
    for ask in (data_root, lambda: babi_files.find("~no such user/x")):
        with pytest.raises(UserError, match=r"no home folder is known for '~no such user/x'"):
            ask()


def test_a_file_as_stories():
    content = (
        b"1 Mary got the Apple there.\n2 What is Mary carrying? \tApple,Milk\t1 2\n"
        b"1 The office is north of the garden.\n2 How do you go?\tn,w\t1\n3 It is.\n"
    )
    assert babi.parse(content, "x") == (
        "mary got the apple there . what is mary carrying ? apple,milk",
        "the office is north of the garden . how do you go ? n,w it is .",
    )


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "holds no story"),
        (b"Mary went home.\n", "line 1 is no line"),
        (b"1 Mary went home.\n3 Mary left.\n", "line 2 is no line"),
        (b"2 Mary went home.\n", "line 1 is no line"),
        (b"1 Where is Mary?\n", "line 1: a question and its answer"),
        (b"1 Mary went home.\thome\t1\n", "line 1: a question and its answer"),
        (b"1 Mary went home.\n2 Where is Mary? \t\t1\n", "line 2 is no line"),
        (b"1 Mary went home.\n2 Where is Mary? \thome", "line 2 is no line"),
        (b"1 \xff\xfe\x00\n\n", "line 2 is no line"),
    ],
)
def test_a_damaged_file(content, complaint):
    with pytest.raises(UserError, match=complaint):
        babi.parse(content, "x.txt")


def test_what_is_missing_is_named(release):
    (release / "en-valid-10k" / "qa3_valid.txt").unlink()
    with pytest.raises(UserError, match=r"lacks en-valid-10k/qa3_valid\.txt;.*leave task 3 out"):
        babi.read(babi_files.find(release), tasks=(1, 3))
    assert set(babi.read(babi_files.find(release), tasks=(1,)).stories["test"]) == {1}
    with pytest.raises(UserError, match=r"lacks en-valid-10k/qa2_train\.txt and 3 more"):
        babi.read(babi_files.find(release), tasks=(1, 2, 3))
    with pytest.raises(UserError, match=r"en-valid: is it bAbI v1\.2"):
        babi.read(babi_files.find(release), "1k", tasks=(1,))
    with pytest.raises(UserError, match="did you mean '10k'"):
        babi.read(babi_files.find(release), "10")


def test_a_mixture_of_releases_is_refused(release, monkeypatch):
    digests = {
        name: babi_files.git_digest((release / name).read_bytes())
        for name in babi.file_names("10k", (1, 3))
        if name != babi_files.PART
    }
    monkeypatch.setattr(babi, "published_digests", lambda: digests)
    assert babi.read(babi_files.find(release), tasks=(1, 3)).published
    damaged = release / "en-valid-10k" / "qa3_test.txt"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    with pytest.raises(UserError, match=r"en-valid-10k/qa3_test\.txt is damaged.*--tasks"):
        babi.read(babi_files.find(release), tasks=(1, 3))
    assert babi.read(babi_files.find(release), tasks=(1,)).published


def test_stories_of_ones_own_are_not_the_published_ones(release):
    assert not babi.read(babi_files.find(release), tasks=(1,)).published


@pytest.mark.parametrize("archived", [False, True])
def test_the_part_of_task_3_stands_in_for_the_whole(release, tmp_path, archived):
    whole = release / "en-valid-10k" / "qa3_train.txt"
    stories = babi.parse(whole.read_bytes(), "x")
    (tmp_path / "beside").mkdir()
    place = release if not archived else tmp_path / "beside" / "tasks_1-20_v1-2.tar.gz"
    part = place.parent / PART
    part.write_bytes(gzip.compress(b"1 Is it?\tyes\t\n"))
    if archived:
        pack(release, place)
    read = babi.read(babi_files.find(place), tasks=(3,))
    assert not read.partial and read.stories["train"][3] == stories
    whole.unlink()
    if archived:
        pack(release, place)
    read = babi.read(babi_files.find(place), tasks=(3,))
    assert read.partial and read.stories["train"][3] == ("is it ? yes",)
    part.write_bytes(b"no gzip at all")
    with pytest.raises(UserError, match=r"damaged.*leave task 3 out"):
        babi.read(babi_files.find(place), tasks=(3,))


def test_an_archive_is_read_for_the_files_asked_for_alone(release, tmp_path):
    path = tmp_path / "odd.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name in (
            "../en-valid-10k/../../escaped.txt",
            "tasks_1-20_v1-2/en-valid-10k/qa99_train.txt",
        ):
            archive.addfile(tarfile.TarInfo(name), io.BytesIO())
        link = tarfile.TarInfo("tasks_1-20_v1-2/en-valid-10k/qa3_train.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
        archive.addfile(link)
        archive.add(release / "en-valid-10k" / "qa1_train.txt", "x/en-valid-10k/qa1_train.txt")
    before = set(tmp_path.rglob("*"))
    files = babi_files.find(path).read(babi.file_names("10k", (1, 3)))
    assert list(files) == ["en-valid-10k/qa1_train.txt"]
    assert set(tmp_path.rglob("*")) == before


def test_an_archive_that_is_damaged_or_too_large(release, tmp_path):
    path = pack(release, tmp_path / "tasks_1-20_v1-2.tar.gz")
    whole = path.read_bytes()
    for content in (
        whole[: len(whole) // 2],
        whole[:700] + b"\0\0\0\0" + whole[704:],
        b"",
        b"text",
    ):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"(damaged|lacks en-valid-10k).*data get babi"):
            babi.read(babi_files.find(path), tasks=(1, 3))
    with tarfile.open(path, "w:gz") as archive:
        large = tarfile.TarInfo("x/en-valid-10k/qa1_train.txt")
        large.size = 17 << 20
        archive.addfile(large, io.BytesIO(bytes(large.size)))
    with pytest.raises(UserError, match="too large"):
        babi.read(babi_files.find(path), tasks=(1,))


def test_the_digest_follows_the_content(release, tmp_path):
    names = babi.file_names("10k", (1, 3))
    in_folder, in_archive = (
        babi_files.find(release),
        babi_files.find(pack(release, tmp_path / "a.tar.xz")),
    )
    before = {source.digest(names) for source in (in_folder, in_archive)}
    (tmp_path / PART).write_bytes(gzip.compress(b"1 Is it?\tyes\t\n"))
    changed = release / "en-valid-10k" / "qa1_test.txt"
    changed.write_bytes(changed.read_bytes() + b"1 Is it?\tyes\t\n")
    after = {source.digest(names) for source in (in_folder, in_archive)}
    assert len(before | after) == 4
    assert in_folder.digest(babi.file_names("10k", (3,))) != in_folder.digest(names)


def test_digests_are_those_of_git():
    digests = babi_files.published_digests()
    assert len(digests) == 121 and all(len(digest) == 40 for digest in digests.values())
    assert digests["en-valid-10k/qa3_train.txt"] == "458387a5aeb1aa11fd075d6a2f1c2bb13a1b08b4"
    assert digests["en-valid/qa7_test.txt"] == digests["en-valid-10k/qa7_test.txt"]
    assert babi_files.git_digest(b"hello\n") == "ce013625030ba8dba906f756967f9e9ca394464a"
