"""Texts: Penn Treebank and WikiText-2 as they are published, known by checksum, and any text file of a user's own."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import NamedTuple

from fastweights.data.file_set import FileSet, read_packed
from fastweights.errors import UserError, check_choice
from fastweights.io.cache import expanded

SPLITS = ("train", "valid", "test")


class Texts(NamedTuple):
    """What to learn from, what to choose settings by, and what to report; every line ends in a line feed."""

    train: str
    valid: str
    test: str


CORPORA = {
    "ptb": FileSet(
        name="ptb",
        title="Penn Treebank",
        places=("", "ptb", "penn", "simple-examples/data"),
        files={split: (f"ptb.{split}.txt", f"{split}.txt") for split in SPLITS},
        digests={
            "train": "fcea919f6cf83f35d4d00c6cbf08040d13d4155226340912e2fef9c9c4102cbf",
            "valid": "c9fe6985fe0d4ccb578183407d7668fc6066c20700cb4cf87d8ff1cc34df1bf2",
            "test": "dd65dff31e70846b2a6030a87482edcd5d199130cdcfa1f3dccbb033728deee0",
        },
    ),
    "wikitext-2": FileSet(
        name="wikitext-2",
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
"""The published texts by name."""


def find(name: str, data_dir: str | Path | None = None) -> Path:
    """Find the folder that holds a published text: see `FileSet.find`.

    Raises:
        UserError: for an unknown name, or if it is not there, with what to do.
    """
    return _corpus(name).find(data_dir)


def read(name: str, folder: Path) -> Texts:
    """Read and check the three files of a published text: see `FileSet.read`."""
    contents = _corpus(name).read(folder)
    return Texts(*(_lines(contents[split].decode()) for split in SPLITS))


def read_file(path: str | Path) -> str:
    """Read a text file of a user's own, packed by gzip or not; every line of the result ends in a line feed.

    Raises:
        UserError: if it is not there, not a file, empty, or not UTF-8, with the place of the first byte that is not.
    """
    path = expanded(path)
    if path.is_dir():
        raise UserError(f"{path} is a folder; name a text file in it")
    try:
        text = read_packed(path).decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        place = f"byte {error.start} (0x{byte:02x}) is none; save the file as UTF-8"
        raise UserError(f"{path} is not UTF-8: {place}") from None
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except FileNotFoundError:
        known = ", ".join(CORPORA)
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
    lines = StringIO(text, newline="\n").readlines()
    if len(lines) < len(SPLITS):
        raise UserError(
            f"a text of {len(lines)} {'line' if len(lines) == 1 else 'lines'} cannot be cut into train, valid and test;"
            " give three files, or one with more lines"
        )
    held = max(1, len(lines) // 20)
    parts = lines[: -2 * held], lines[-2 * held : -held], lines[-held:]
    return Texts(*map("".join, parts))


def _lines(text: str) -> str:
    """Return the text with every line, the last one too, ending in a line feed alone."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text if text.endswith("\n") else f"{text}\n"


def _corpus(name: str) -> FileSet:
    check_choice("text", name, CORPORA)
    return CORPORA[name]
