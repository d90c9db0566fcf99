"""Small files that unpack to large ones, and headers that lie: refused in a line, before they take memory."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tarfile
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastweights.data import archive, text
from fastweights.data.archive import read_members
from fastweights.data.file_set import read_packed
from fastweights.errors import UserError

NAMES = [f"en/qa{number}.txt" for number in range(9)]
BOUNDS = {"largest": 1 << 20, "together": 1 << 21}


@contextmanager
def within(megabytes: int) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < megabytes << 20
    finally:
        tracemalloc.stop()


def header(
    name: str, size: int, kind: bytes = tarfile.REGTYPE, pax: dict[str, str] | None = None
) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.type, info.pax_headers = size, kind, pax or {}
    return info.tobuf(tarfile.PAX_FORMAT)


def packed(folder: Path, content: bytes) -> Path:
    path = folder / "a.tar.gz"
    path.write_bytes(gzip.compress(content, 1))
    return path


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_files_come_back_however_they_are_packed(pack, tmp_path):
    made = io.BytesIO()
    contents = {name: name.encode() * 300 for name in NAMES}
    with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for number, (name, content) in enumerate(contents.items()):
            info = tarfile.TarInfo(f"{'long/' * 60 * (number % 2)}{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    (tmp_path / "a").write_bytes(pack(made.getvalue()))
    assert read_members(tmp_path / "a", NAMES, **BOUNDS) == contents
    assert read_members(tmp_path / "a", NAMES[3:4], **BOUNDS) == {NAMES[3]: contents[NAMES[3]]}


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_header_that_is_as_long_as_it_likes(kind, tmp_path):
    path = packed(tmp_path, header("x", 1 << 24, kind) + bytes(1 << 24))
    with within(8), pytest.raises(UserError, match="headers are too large"):
        read_members(path, NAMES, **BOUNDS)


def test_headers_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "_HEADERS", 1 << 19)
    path = packed(tmp_path, header("x", 0) * 1025)
    with within(8), pytest.raises(UserError, match="headers are too large"):
        read_members(path, NAMES, **BOUNDS)
    path = packed(tmp_path, header("x", 0, tarfile.XHDTYPE) * 1000)
    with pytest.raises(UserError, match="is damaged"):
        read_members(path, NAMES, **BOUNDS)


def test_files_that_are_too_large_alone_or_together(tmp_path):
    content = bytes(BOUNDS["largest"])
    for blocks in (
        header(NAMES[0], len(content) + 1) + content,
        b"".join(header(name, len(content)) + content for name in NAMES[:3]),
    ):
        path = packed(tmp_path, blocks)
        with within(4), pytest.raises(UserError, match=r"en/qa[02]\.txt is too large"):
            read_members(path, NAMES, **BOUNDS)


def test_an_archive_that_unpacks_to_more_than_any_release(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "_WHOLE", 1 << 22)
    path = packed(tmp_path, header("other.bin", 1 << 23) + bytes(1 << 23))
    with within(2), pytest.raises(UserError, match="too large: more than 4,194,304 bytes"):
        read_members(path, NAMES, **BOUNDS)


def test_xz_takes_no_dictionary_as_large_as_it_says(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "_DICTIONARY", 1 << 22)
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 23}]
    (tmp_path / "a.tar.xz").write_bytes(lzma.compress(header(NAMES[0], 0), filters=filters))
    with pytest.raises(UserError, match="is damaged"):
        read_members(tmp_path / "a.tar.xz", NAMES, **BOUNDS)


LIES = {
    "sizes below nothing": header("x", 0, pax={"size": "-99999"}) + bytes(2048),
    "a size that is none": header("x", 0, pax={"size": "nan"}) + bytes(2048),
    "cut short": header(NAMES[0], 999) + b"text",
    "sparse": header(
        NAMES[0],
        512,
        pax={"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "x"},
    )
    + b"9" * 512,
}


@pytest.mark.parametrize("lie", LIES)
def test_headers_that_lie(lie, tmp_path):
    path = packed(tmp_path, LIES[lie])
    with within(4):
        try:
            assert read_members(path, NAMES, **BOUNDS) == {}
        except UserError as refused:
            assert "it is damaged" in str(refused)


@given(data=st.data())
def test_any_change_is_one_line_or_another_archive(data, tmp_path_factory):
    whole = (
        header(NAMES[0], 5, pax={"comment": "ä"})
        + b"text\n".ljust(512, b"\0")
        + header(NAMES[1], 0)
    )
    place = data.draw(st.integers(0, len(whole) - 1))
    changed = whole[:place] + bytes([data.draw(st.integers(0, 255))]) + whole[place + 1 :]
    path = packed(tmp_path_factory.mktemp("changed"), changed)
    try:
        found = read_members(path, NAMES, **BOUNDS)
    except UserError as refused:
        assert "\n" not in str(refused)
    else:
        assert found.keys() <= set(NAMES)


def test_a_text_that_unpacks_to_far_more_than_texts_do(tmp_path):
    path = tmp_path / "a.txt.gz"
    path.write_bytes(gzip.compress(b"a\n" * (1 << 23), 1))
    assert len(read_packed(path)) == 1 << 24  # so small that it does not matter
    path.write_bytes(gzip.compress(b"a\n" * (1 << 23) + b"a\n", 1))
    with pytest.raises(UserError, match=r"a\.txt\.gz: it is too large, more than 16,777,216 bytes"):
        text.read_file(path)


@pytest.mark.skipif(os.name == "nt", reason="no such files there")
def test_what_has_no_end_is_no_text(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    for path in (tmp_path / "pipe", tmp_path / "link", Path("/dev/zero")):
        with pytest.raises(UserError, match="cannot be read: it is no plain file"):
            text.read_file(path)
