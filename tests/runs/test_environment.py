"""What a run was made with, as it is recorded."""

import re
import subprocess
from pathlib import Path

import pytest

from fastweights.runs import environment


def test_what_changed_is_named_with_both_versions():
    now = environment.versions()
    assert environment.changes(now) == environment.changes(None) == []
    assert environment.changes(now | {"torch": "1.0"}) == [f"torch {now['torch']}, not 1.0"]


def test_a_commit_is_that_of_the_file_and_says_what_has_changed_since(tmp_path, monkeypatch):
    def git(*words):
        own = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
        command = ["git", "-C", str(tmp_path), *own, *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    source, ask = tmp_path / "a.py", environment.commit.__wrapped__
    source.write_text("1")
    monkeypatch.setattr(environment, "__file__", str(source))
    assert ask() is None  # in no repository
    git("init")
    assert ask() is None  # in that of something else
    git("add", "a.py")
    git("commit", "-m", "a")
    git("tag", "-a", "v1", "-m", "not this")
    made = git("rev-parse", "HEAD")
    assert ask() == made and re.fullmatch("[0-9a-f]{40}", made)
    source.write_text("2")
    assert ask() == f"{made}-dirty"


@pytest.mark.skipif(not Path("/proc/cpuinfo").is_file(), reason="the system says it elsewhere")
def test_the_processor_is_named_as_the_system_does():
    named = re.findall(r"^model name\s*: (.*)", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    processor = environment.machine()["processor"]
    assert processor == named[0].strip() if named else processor
