"""Texts: Penn Treebank and WikiText-2 as they are published, known by checksum, and any text file of a user's own."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from fastweights.data import packed
from fastweights.errors import UserError, unknown
from fastweights.io.cache import VARIABLE, data_root

SPLITS = ("train", "valid", "test")


class Texts(NamedTuple):
    """What to learn from, what to choose settings by, and what to report; every line ends in a line feed."""

    train: str
    valid: str
    test: str


@dataclass(frozen=True)
class Corpus:
    """A published text.

    Attributes:
        title: what people call it.
        places: where its files may lie below a folder.
        files: the names that each split's file goes by, the first of them that is there being taken; packed by gzip, a
            name ends in .gz.
        digests: SHA-256 of what is in the file of each split, unpacked.
    """

    title: str
    places: tuple[str, ...]
    files: Mapping[str, tuple[str, ...]]
    digests: Mapping[str, str]


_CORPORA = {
    "ptb": Corpus(
        title="Penn Treebank",
        places=("", "ptb", "penn", "simple-examples/data"),
        files={split: (f"ptb.{split}.txt", f"{split}.txt") for split in SPLITS},
        digests={
            "train": "fcea919f6cf83f35d4d00c6cbf08040d13d4155226340912e2fef9c9c4102cbf",
            "valid": "c9fe6985fe0d4ccb578183407d7668fc6066c20700cb4cf87d8ff1cc34df1bf2",
            "test": "dd65dff31e70846b2a6030a87482edcd5d199130cdcfa1f3dccbb033728deee0",
        },
    ),
    "wikitext-2": Corpus(
        title="WikiText-2",
        places=("", "wikitext-2"),
        files={split: (f"{split}.txt", f"wiki.{split}.tokens") for split in SPLITS},
        digests={
            "train": "9e9fa1ad55b1c2c95b08e37dd8e653f638fac2c6de904b79e813611eefbc985f",
            "valid": "f0737ed31fc1329026e95cb8b98e19c2a182c39c240ab909dc31abf2f8af58e8",
            "test": "d790b833ef8cf03a90db7bf1271b7520b83c45ce07ba3c1a9699df81e239eca0",
        },
    ),
}


def corpora() -> dict[str, Corpus]:
    """List the published texts by name.

    Example:
        >>> list(corpora())
        ['ptb', 'wikitext-2']
    """
    return dict(_CORPORA)


def find(name: str, data_dir: str | Path | None = None) -> Path:
    """Find the folder that holds a published text.

    Args:
        name: one of `corpora()`.
        data_dir: that folder, or one that holds it under the text's name. None: `io.cache.data_root()`.

    Raises:
        UserError: for an unknown name, or if it is not there, with what to do.
    """
    corpus = _corpus(name)
    given = Path(data_dir).expanduser() if data_dir is not None else data_root()
    if given.is_file():
        raise UserError(f"{given} is a file; --data-dir names the folder that {name} lies in")
    held = {p: sum(_path(given / p, corpus, s) is not None for s in SPLITS) for p in corpus.places}
    place = max(held, key=held.__getitem__)
    if held[place]:
        return given / place
    where = given if data_dir is not None else f"{given} (set {VARIABLE} to look elsewhere)"
    first = corpus.files["train"][0]
    raise UserError(f"no {corpus.title} ({first} and two more) in {where}; {advice(name)}")


def read(name: str, folder: Path) -> Texts:
    """Read and check the three files of a published text.

    Args:
        name: one of `corpora()`.
        folder: of `find`.

    Raises:
        UserError: naming the file that is missing, damaged or another one, with what to do.
    """
    corpus = _corpus(name)
    texts = {}
    for split in SPLITS:
        path = _path(folder, corpus, split)
        if path is None:
            raise UserError(f"{folder} lacks {corpus.files[split][0]}; {advice(name)}")
        try:
            texts[split] = _lines(check_file(name, path, split).decode())
        except UserError as error:
            raise UserError(f"{path}: {error}; {advice(name)}") from None
    return Texts(**texts)


def check_file(name: str, path: Path, split: str) -> bytes:
    """Read a file of a published text, packed or not, and check what is in it by its SHA-256.

    Args:
        name: one of `corpora()`.
        path: where it lies.
        split: "train", "valid" or "test", which it is to be.

    Raises:
        UserError: if it is damaged or another one.
    """
    corpus = _corpus(name)
    content = packed.read(path)
    if hashlib.sha256(content).hexdigest() != corpus.digests[split]:
        what = f"{corpus.title}'s {split} text"
        raise UserError(f"it is damaged or not {what}: its checksum is another")
    return content


def read_file(path: str | Path) -> str:
    """Read a text file of a user's own, packed by gzip or not; every line of the result ends in a line feed.

    Raises:
        UserError: if it is not there, not a file, empty, or not UTF-8, with the place of the first byte that is not.
    """
    path = Path(path).expanduser()
    if path.is_dir():
        raise UserError(f"{path} is a folder; name a text file in it")
    try:
        text = packed.read(path).decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        place = f"byte {error.start} (0x{byte:02x}) is none; save the file as UTF-8"
        raise UserError(f"{path} is not UTF-8: {place}") from None
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except FileNotFoundError:
        known = ", ".join(corpora())
        raise UserError(f"no such text: {path} (a file, or one of {known})") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None
    if not text.strip():
        raise UserError(f"{path} is empty: there is nothing to read in it")
    return _lines(text)


def cut(text: str) -> Texts:
    """Cut a text by its lines: the first 90 % to learn from, then twice 5 %, each a line at least.

    Args:
        text: whose lines end in a line feed.

    Raises:
        UserError: if there are fewer than three lines.

    Example:
        >>> cut("a\\nb\\nc\\nd\\n")
        Texts(train='a\\nb\\n', valid='c\\n', test='d\\n')
    """
    lines = text.count("\n")
    if lines < len(SPLITS):
        raise UserError(
            f"a text of {lines} {'line' if lines == 1 else 'lines'} cannot be cut into train, valid and test;"
            " give three files, or one with more lines"
        )
    held = max(1, lines // 20)
    valid = _after(text, lines - 2 * held, 0)
    test = _after(text, held, valid)
    return Texts(text[:valid], text[valid:test], text[test:])


def advice(name: str) -> str:
    """Say how to get a published text."""
    return f"fetch it with `fastweights data get {name}`, or name its folder with --data-dir"


def _after(text: str, lines: int, start: int) -> int:
    """The place behind so many lines."""
    for _ in range(lines):
        start = text.index("\n", start) + 1
    return start


def _lines(text: str) -> str:
    """The same text with every line, the last one too, ending in a line feed alone."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text if text.endswith("\n") else f"{text}\n"


def _corpus(name: str) -> Corpus:
    known = corpora()
    if name not in known:
        raise unknown("text", name, known)
    return known[name]


def _path(folder: Path, corpus: Corpus, split: str) -> Path | None:
    """The file of a split, unpacked or packed, by the first of its names that is there."""
    paths = (folder / f"{name}{end}" for name in corpus.files[split] for end in ("", ".gz"))
    return next((path for path in paths if path.is_file()), None)
