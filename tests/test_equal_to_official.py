"""The comparison with the authors' code says in one line what it cannot run."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "equal_to_official.py"


@pytest.mark.parametrize(
    ("options", "words"),
    [([], "no checkout of the authors' code"), (["--backend", "cpus"], "did you mean 'cpu'")],
)
def test_slips(tmp_path, options, words):
    if options:
        for file in (
            "catbAbI/models/lm_fwm.py",
            "language-modelling/fwm/myfastweights_v2.py",
            "metaRL/myfastweights.py",
        ):
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file).touch()
    run = subprocess.run(
        [sys.executable, SCRIPT, tmp_path, "--json", *options],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 2 and run.stdout == ""
    assert run.stderr.count("\n") == 1 and words in run.stderr
