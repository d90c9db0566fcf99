"""The wrong edits that `scripts/mutate.py` makes: what they are, that a draw comes again, and what is tried first."""

import ast
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

import mutate
from mutate_tests import Known, digest_of
from mutations import mutations

SOURCE = '''
def scale(x: int = 2, *, keep: bool = False) -> float:
    """Not the 3 in here."""
    if x < 0 and keep:
        raise ValueError(f"{x + 1}")
    with torch.no_grad():
        y = max(x, 1) * α[1:].detach()
    y += 1
    return call(y, x, dim=-1)
'''
EDITS = [
    "2 -> (3)",
    "False -> (True)",
    "x < 0 and keep -> (not (x < 0 and keep))",
    "x < 0 and keep -> (x < 0 or keep)",
    "x < 0 -> (x <= 0)",
    "0 -> (1)",
    "raise ValueError(f'{x + 1}') -> pass",
    "torch.no_grad() -> (torch.enable_grad())",
    "max(x, 1) * α[1:].detach() -> (max(x, 1) / α[1:].detach())",
    "max(x, 1) -> (min(x, 1))",
    "1 -> (2)",
    "α[1:].detach() -> (α[1:])",
    "1: -> 1 + 1:",
    "1: -> 1:-1",
    "1 -> (2) #1",
    "y += 1 -> y -= 1",
    "y += 1 -> pass",
    "1 -> (2) #2",
    "return call(y, x, dim=-1) -> return None",
    "call(y, x, dim=-1) -> (call(x, y, dim=-1))",
    "call(y, x, dim=-1) -> (call(y, x))",
    "-1 -> (-2)",
]


def test_the_edits_of_a_function():
    found = mutations("a.py", SOURCE)
    assert sorted(edit.name for edit in found) == sorted(f"a.py:scale: {edit}" for edit in EDITS)
    for edit in found:
        edited = edit.applied(SOURCE)
        assert ast.dump(ast.parse(edited)) != ast.dump(ast.parse(SOURCE))
        assert len(edited.splitlines()) == len(SOURCE.splitlines())


def test_a_draw_is_the_same_again_and_even_over_files():
    first = list(mutate.drawn(20, 0, ["io", "runs"]))
    assert (
        first
        == list(mutate.drawn(20, 0, ["io", "runs"]))
        != list(mutate.drawn(20, 1, ["io", "runs"]))
    )
    assert len({edit.name for _, edit in first}) == 40
    files = [edit.module for room, edit in first if room == "io"]
    counts = [files.count(name) for name in set(files)]
    assert len(counts) > 1 and max(counts) - min(counts) <= 1


def test_what_calls_a_function_is_tried_first_and_files_that_changed_are_unknown(tmp_path):
    file, module = tmp_path / "tests" / "io" / "test_a.py", tmp_path / "src" / "fastweights" / "io"
    file.parent.mkdir(parents=True)
    module.mkdir(parents=True)
    file.write_text("import a\na.near()\n")
    (module / "a.py").write_text("def near(): ...\n")
    calls = {"slow": [3.0, ["io/a.py:far"]], "quick": [1.0, ["io/a.py:near"]]}
    tests = {f"tests/io/test_a.py::{name}": row for name, row in calls.items()}
    row = {"file": "tests/io/test_a.py", "digest": digest_of(file), "tests": tests}
    (tmp_path / "map.jsonl").write_text(json.dumps(row))
    known = Known.load(tmp_path / "map.jsonl", tmp_path)
    first, rest = known.stages("io/a.py", "near", tmp_path, 9)
    assert first == ["tests/io/test_a.py::quick"] and rest[0] == "tests/io/test_a.py::slow"
    file.write_text("import a\n")
    known = Known.load(tmp_path / "map.jsonl", tmp_path)
    assert list(known.stages("io/a.py", "near", tmp_path, 9)) == [
        ["src/fastweights/io/a.py", "tests/io/test_a.py"]
    ]


def test_a_ledger_tries_again_what_survived_elsewhere(tmp_path):
    ledger = mutate.Ledger(tmp_path / "ledger.jsonl", "first")
    for name in ("killed", "survived"):
        ledger.add({"name": name, "source": "0", "commit": "first", "result": name})
    later = mutate.Ledger(tmp_path / "ledger.jsonl", "later")
    assert later.find("killed", "0", True) and later.find("survived", "0", False)
    assert not later.find("survived", "0", True) and not later.find("killed", "1", False)


def test_those_that_change_nothing_have_a_reason():
    known = mutate.equivalent()
    library = mutate.ROOT / mutate.LIBRARY
    assert all((library / name.split(":")[0]).is_file() for name in known)
    assert all(len(why) > 10 for why in known.values())
