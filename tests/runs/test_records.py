"""Records with a check: an edited digit is told, wherever it stands; what older versions wrote is read."""

import json
import re

import pytest

from fastweights.errors import UserError
from fastweights.runs import Run
from fastweights.runs.records import Changed, sealed, unsealed

RECORD = {"loss": 0.5, "step": 12, "nested": {"sizes": [1, 2], "name": "naïve"}, "none": None}


@pytest.fixture
def run(tmp_path):
    run = Run.create(tmp_path / "run", {"seed": 31, "plan": {"rate": 0.125}})
    for step in (10, 20):
        run.log({"step": step, "loss": 1 / step})
    run.write_result({"accuracy": 0.9375, "steps": 20})
    return run


def test_a_record_comes_back_without_its_check():
    written = json.loads(json.dumps(sealed(RECORD)))
    assert unsealed(written, required=True) == RECORD
    assert unsealed(dict(reversed(written.items()))) == RECORD
    assert sealed(written) == written


def test_every_edited_digit_is_told():
    text = json.dumps(sealed(RECORD))
    for place in [match.start() for match in re.finditer(r"\d", text)]:
        edited = text[:place] + str((int(text[place]) + 1) % 10) + text[place + 1 :]
        with pytest.raises(Changed):
            unsealed(json.loads(edited))


def test_a_record_without_a_check_is_of_an_older_version_unless_one_is_required():
    assert unsealed(RECORD) == RECORD
    with pytest.raises(Changed, match="lacks its check"):
        unsealed(RECORD, required=True)


@pytest.mark.parametrize("value", ["\ud800", 10**400, float("nan"), [[[]]]])
def test_what_json_can_hold_can_be_checked(value):
    written = json.loads(json.dumps(sealed({"value": value})))
    assert unsealed(written, required=True).keys() == {"value"}


def test_a_record_nested_without_end_is_told():
    value = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(Changed, match="nested"):
        unsealed({"value": value, "check": "0"})


@pytest.mark.parametrize(
    ("name", "before", "after", "read"),
    [
        ("config.json", "0.125", "0.126", lambda run: Run.open(run.folder)),
        ("config.json", '"seed": 31', '"seed": 32', lambda run: Run.open(run.folder)),
        ("metrics.jsonl", '"step": 20', '"step": 10', Run.metrics),
        ("metrics.jsonl", '"check"', '"chuck"', Run.metrics),
        ("result.json", "0.9375", "0.9376", Run.result),
        ("result.json", '"check"', '"chuck"', Run.result),
    ],
)
def test_an_edited_record_of_a_run_is_told(run, name, before, after, read):
    path = run.folder / name
    assert before in path.read_text()
    path.write_text(path.read_text().replace(before, after))
    with pytest.raises(UserError, match=f"{name} was changed") as caught:
        read(run)
    assert "\n" not in str(caught.value)


def test_runs_of_versions_without_checks_are_read_and_go_on(run):
    for name in ("config.json", "metrics.jsonl", "result.json"):
        path = run.folder / name
        path.write_text(re.sub(r',\s*"check": "\w+"', "", path.read_text()))
    old = Run.open(run.folder)
    assert old.config == run.config and not old.checked
    assert old.result() == {"accuracy": 0.9375, "steps": 20}
    old.update_config({**old.config, "seed": 32})
    assert old.config["seed"] == 32
    old.log({"step": 30})
    again = Run.open(run.folder)
    assert not again.checked and again.config["seed"] == 32
    assert [row["step"] for row in again.metrics()] == [10, 20, 30]


def test_a_doubled_row_is_told(run):
    path = run.folder / "metrics.jsonl"
    first, second = path.read_text().splitlines(keepends=True)
    for rows in ([first, first, second], [second, first]):
        path.write_text("".join(rows))
        with pytest.raises(UserError, match="line 2: its step is not after the last"):
            run.metrics()


def test_rows_that_a_checkpoint_knew_of_are_missed(run, caplog):
    run.save_checkpoint(20, {}, {"rows": 2})
    found = run.load_checkpoint()
    run.check_rows(found)
    assert not caplog.records
    path = run.folder / "metrics.jsonl"
    path.write_bytes(path.read_bytes()[:-5])  # as if it had been cut off by a kill
    assert run.go_on_from(found) == 2 and len(run.metrics()) == 1
    assert "was changed: 1 rows up to step 20, not 2" in caplog.text
