"""Tasks are built by name, and slips in names are mended."""

import subprocess
import sys

import pytest

from fastweights import tasks
from fastweights.errors import UserError


def test_every_task_is_described_and_built(release, mnist_files, text_files):
    options = {
        "catbabi": {"data_dir": release},
        "glimpses": {"data_dir": mnist_files},
        "text": {"data": text_files},
    }
    assert set(tasks.describe()) == set(tasks.names())
    for name, line in tasks.describe().items():
        assert line and "\n" not in line
        task = tasks.build(name, **options.get(name, {}))
        assert (task.actions if isinstance(task, tasks.Environment) else task.classes) >= 1


def test_options_reach_the_task():
    task = tasks.build("retrieval", pairs=7, form="trailing-read", repeat_keys=True)
    assert (task.pairs, task.form, task.repeat_keys) == (7, "trailing-read", True)


@pytest.mark.parametrize(
    ("name", "options", "complaint"),
    [
        ("retreival", {}, "did you mean 'retrieval'"),
        ("retrieval", {"pear": 3}, "did you mean 'pairs'"),
        ("retrieval", {"pairs": 27}, "1 to 26"),
        ("glimpses", {"reading": "plane"}, "did you mean 'plain'"),
        ("retrieval", {"form": "trailing"}, "did you mean 'trailing-read'"),
    ],
)
def test_slips(name, options, complaint):
    with pytest.raises(UserError, match=complaint):
        tasks.build(name, **options)


def test_imports_without_extras():
    """Neither gymnasium nor matplotlib is needed, nor loaded."""
    script = (
        "import sys; sys.modules.update(gymnasium=None, matplotlib=None);"
        "from fastweights import tasks; tasks.build('retrieval')"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
