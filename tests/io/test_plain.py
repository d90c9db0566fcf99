"""Files that a stranger may have laid there: plain ones are opened, and nothing leads out of their folder."""

from __future__ import annotations

import io
import os

import pytest

from fastweights.errors import UserError
from fastweights.io import plain
from fastweights.io.atomic import oserror_as_user_error, remove, write_folder_atomically
from fastweights.io.plain import check_own_folder, open_plain, read_plain

pytestmark = pytest.mark.skipif(os.name == "nt", reason="links need a right of their own there")


@pytest.fixture
def mine(tmp_path):
    """A file of somebody's own, outside the folder."""
    (tmp_path / "folder").mkdir()
    path = tmp_path / "mine.txt"
    path.write_text("mine")
    return path


TRAPS = {
    "symbolic link": lambda trap, mine: trap.symlink_to(mine),
    "hard link": lambda trap, mine: trap.hardlink_to(mine),
    "link to nothing": lambda trap, mine: trap.symlink_to(mine.with_name("new.txt")),
    "pipe": lambda trap, mine: os.mkfifo(trap),
    "device": lambda trap, mine: trap.symlink_to("/dev/zero"),
    "folder": lambda trap, mine: trap.mkdir(),
}


@pytest.mark.parametrize("mode", ["ab", "a+"])
@pytest.mark.parametrize("trap", TRAPS)
def test_nothing_is_written_through_what_is_no_file_of_the_folder(trap, mode, mine):
    path = mine.parent / "folder" / "file"
    TRAPS[trap](path, mine)
    with (
        pytest.raises(UserError, match=r"it is (a|no) "),
        oserror_as_user_error("write", path),
        open_plain(path, mode) as file,
    ):
        file.truncate(0)
    assert mine.read_text() == "mine" and not mine.with_name("new.txt").exists()


@pytest.mark.parametrize("trap", ["pipe", "device", "folder", "link to nothing"])
def test_what_has_no_end_or_is_no_file_is_not_read(trap, mine):
    path = mine.parent / "folder" / "file"
    TRAPS[trap](path, mine)
    for links in (False, True):
        with pytest.raises(OSError, match=r"it is|No such file"):
            read_plain(path, 9, links=links)


def test_a_link_is_read_where_that_is_allowed_alone(mine):
    path = mine.parent / "folder" / "file"
    path.symlink_to(mine)
    assert read_plain(path, 4, links=True) == read_plain(mine, None) == b"mine"
    with pytest.raises(OSError, match="it is a link"):
        read_plain(path, 4)
    with pytest.raises(OSError, match="more than 3 bytes"):
        read_plain(mine, 3)


@pytest.mark.parametrize("link", ["symlink_to", "hardlink_to"])
def test_a_link_is_written_through_where_that_is_allowed(link, mine):
    path = mine.parent / "folder" / "file"
    getattr(path, link)(mine)
    with open_plain(path, "ab", links=True) as file:
        file.write(b" too")
    assert mine.read_text() == "mine too"


def test_a_new_file_is_made_and_an_old_one_added_to(tmp_path):
    for _ in range(2):
        with open_plain(tmp_path / "a", "ab") as file:
            file.write(b"row\n")
    assert (tmp_path / "a").read_bytes() == b"row\nrow\n"


def test_what_a_link_leads_to_stays_when_the_link_is_removed_or_replaced(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a").write_text("mine")
    for change in (remove, lambda path: write_folder_atomically(path, {"b": b""})):
        (tmp_path / "link").symlink_to(tmp_path / "mine")
        with pytest.raises(OSError, match="it is a link"):
            check_own_folder(tmp_path / "link")
        change(tmp_path / "link")
        assert not (tmp_path / "link").is_symlink()
        assert (tmp_path / "mine" / "a").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "mine"]


def test_a_file_larger_than_the_memory_is_refused_in_a_line(tmp_path, monkeypatch):
    class Endless(io.BytesIO):
        def read(self, *size):
            raise MemoryError

    monkeypatch.setattr(plain, "open_plain", lambda *_, **__: Endless())
    with pytest.raises(OSError, match="larger than the memory"):
        read_plain(tmp_path / "metrics.jsonl", None)
