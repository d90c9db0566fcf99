"""MNIST's files: found where they may lie, known by their checksums, and every slip one clear line."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastweights.cli import main
from fastweights.data import fetch, idx, mnist
from fastweights.data.catalogue import MNIST
from fastweights.errors import UserError
from mnist_made import files

KINDS = st.sampled_from(sorted(idx.KINDS.items()))
SHAPES = st.lists(st.integers(0, 5), min_size=1, max_size=4)


def written(kind: int, array: np.ndarray) -> bytes:
    header = bytes((0, 0, kind, array.ndim)) + np.array(array.shape, ">u4").tobytes()
    return header + array.tobytes()


@given(kind=KINDS, shape=SHAPES, seed=st.integers(0, 9))
def test_an_array_comes_back(kind, shape, seed):
    code, dtype = kind
    array = np.random.default_rng(seed).integers(0, 99, shape).astype(dtype)
    found = idx.parse(written(code, array), "it")
    assert found.dtype.isnative and found.dtype.kind == array.dtype.kind
    assert np.array_equal(found, array) and found.shape == array.shape


@given(kind=KINDS, shape=SHAPES, data=st.data())
def test_a_changed_file_is_refused_in_one_line_or_is_another_whole_file(kind, shape, data):
    code, dtype = kind
    good = written(code, np.ones(shape, dtype))
    changed = data.draw(
        st.one_of(
            st.integers(0, len(good) - 1).map(lambda end: good[:end]),
            st.binary(min_size=1, max_size=9).map(lambda more: good + more),
            st.tuples(st.integers(0, 3 + 4 * len(shape)), st.integers(0, 255)).map(
                lambda change: good[: change[0]] + bytes([change[1]]) + good[change[0] + 1 :]
            ),
        )
    )
    try:
        found = idx.parse(changed, "the-file")
    except UserError as refused:
        assert "the-file" in str(refused) and "\n" not in str(refused)
        assert changed != good
    else:
        assert written(changed[2], found.astype(idx.KINDS[changed[2]])) == changed


MALFORMED = {
    b"": "begins with nothing",
    b"\0\0\x08": "begins with 000008",
    b"\x1f\x8b\x08\0": "begins with 1f8b0800",
    b"\0\0\x0a\x01\0\0\0\0": "unknown kind of number 0x0a",
    b"\0\0\x08\0": "0 dimensions is not whole",
    b"\0\0\x08\x02\0\0\0\x01\0\0": "2 dimensions is not whole",
    b"\0\0\x08\x01\0\0\0\x02\x07": "2 numbers make 10 bytes, not 9",
    b"\0\0\x0b\x02\0\0\0\x01\0\0\0\x02abcde": "1 × 2 numbers make 16 bytes, not 17",
    b"\0\0\x08\x03\0\0\0\0" + b"\xff" * 8: "no array has the shape",
    b"\0\0\x08\x03\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\x01": "numbers make 18446744065119617041",
}


@pytest.mark.parametrize("content", MALFORMED)
def test_what_is_wrong_is_said(content):
    with pytest.raises(UserError, match=f"the-file.*{MALFORMED[content]}"):
        idx.parse(content, "the-file")


LAYOUTS = {
    "the folder": lambda root: root,
    "data sets": lambda root: root / "mnist",
    "torchvision": lambda root: root / "MNIST" / "raw",
    "torchvision's own": lambda root: root / "raw",
}


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_found(layout, packed, mnist_files, tmp_path, monkeypatch):
    place = LAYOUTS[layout](tmp_path / "root")
    shutil.copytree(mnist_files, place)
    if not packed:
        for path in place.iterdir():
            path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
            path.unlink()
    assert mnist.find(tmp_path / "root") == place
    found = mnist.read(place)
    ours = files(np.random.default_rng(0), 240, 40)
    for array, name in zip(found, mnist.FILES, strict=True):
        assert array.dtype == np.uint8 and ours[name].endswith(array.tobytes())
    assert [array.shape for array in found] == [(240, 28, 28), (240,), (40, 28, 28), (40,)]
    monkeypatch.setenv("FASTWEIGHTS_DATA", str(tmp_path / "root"))
    assert mnist.find() == place


def test_what_is_not_there(mnist_files, tmp_path, monkeypatch):
    monkeypatch.setenv("FASTWEIGHTS_DATA", str(tmp_path))
    for given_dir in (tmp_path, None):
        with pytest.raises(UserError, match="fastweights data get mnist"):
            mnist.find(given_dir)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="is a file"):
        mnist.find(tmp_path / "file")
    copy = Path(shutil.copytree(mnist_files, tmp_path / "copy"))
    (copy / "t10k-images-idx3-ubyte.gz").unlink()
    with pytest.raises(UserError, match=r"copy lacks t10k-images-idx3-ubyte \(or"):
        mnist.read(mnist.find(copy))


DAMAGE = {
    "cut short": (lambda packed: packed[:-40], "is damaged"),
    "no longer packed": (lambda packed: b"<html>", "its checksum is another"),
    "another set": (lambda packed: gzip.compress(b"other"), "its checksum is another"),
    "broken inside": (lambda packed: packed[:30] + b"\0" * 60 + packed[90:], "is damaged"),
    "empty": (lambda packed: b"", "its checksum is another"),
    "without end": (lambda packed: gzip.compress(bytes((1 << 26) + 1), 1), "too large"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_or_foreign_file_is_named(damage, mnist_files, tmp_path):
    copy = Path(shutil.copytree(mnist_files, tmp_path / "copy"))
    path = copy / "train-labels-idx1-ubyte.gz"
    change, complaint = DAMAGE[damage]
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(UserError, match=complaint) as refused:
        mnist.read(copy)
    assert str(path) in str(refused.value) and "data get mnist" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_it_is_fetched_file_by_file_and_once(mnist_files, tmp_path):
    first = fetch.get(MNIST, tmp_path, addresses=["down", mnist_files.as_uri()])
    assert first.path == tmp_path / "mnist" and first.files == len(first.addresses) == 4
    assert fetch.get(MNIST, tmp_path, addresses=["nowhere"]) == (first.path, (), 4)
    (first.path / "train-images-idx3-ubyte.gz").write_bytes(b"cut")
    (first.path / "t10k-labels-idx1-ubyte.gz").unlink()
    mended = fetch.get(MNIST, tmp_path, addresses=[mnist_files.as_uri() + "/"])
    names = [address.rpartition("/")[2] for address in mended.addresses]
    assert names == ["train-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"]
    mnist.read(first.path)


def test_what_is_served_wrongly_is_not_taken(mnist_files, tmp_path):
    served = Path(shutil.copytree(mnist_files, tmp_path / "served"))
    shutil.copy(served / "t10k-labels-idx1-ubyte.gz", served / "train-labels-idx1-ubyte.gz")
    with pytest.raises(UserError, match="not MNIST's train-labels-idx1-ubyte"):
        fetch.get(MNIST, tmp_path / "data", addresses=[served.as_uri()])
    there = {path.name for path in (tmp_path / "data" / "mnist").iterdir()}
    assert there == {"train-images-idx3-ubyte.gz"}


def test_a_damaged_copy_that_is_read_first_is_named(mnist_files, tmp_path):
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / "train-images-idx3-ubyte").write_bytes(b"cut")
    with pytest.raises(UserError, match="mnist/train-images-idx3-ubyte: it is damaged"):
        fetch.get(MNIST, tmp_path, addresses=[mnist_files.as_uri()])


def test_the_command(mnist_files, tmp_path, capsys):
    words = ["data", "get", "mnist", "--data-dir", str(tmp_path), "--url", mnist_files.as_uri()]
    assert main([*words, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["files"] == 4 and len(said["addresses"]) == 4
    shutil.rmtree(said["path"])
    assert main(words) == 0
    assert f"(from {mnist_files.as_uri()})" in capsys.readouterr().out
    assert main(words) == 0
    assert "was there already" in capsys.readouterr().out
