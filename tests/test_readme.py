"""README's example that needs data: run word for word on stories made here, held against a loop in plain PyTorch."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from fastweights.training.engine import seeds

README = Path(__file__).parents[1] / "README.md"
STEPS, ROWS = 3, 4


@pytest.fixture
def code(release, monkeypatch) -> str:
    """The example, with fewer steps and rows and the data of the tests."""
    monkeypatch.setenv("FASTWEIGHTS_DATA", str(release.parent))
    (text,) = re.findall(
        r"## catbAbI for your own model.*?```python\n(.*?)```", README.read_text(), re.S
    )
    assert "range(4000)" in text and len(text.split("task = ")[1].splitlines()) == 10
    assert "batch=32" in text
    return text.replace("range(4000)", f"range({STEPS})").replace("batch=32", f"batch={ROWS}")


def test_any_model_is_trained_and_scored_on_catbabi(code, catbabi, capsys):
    ours: dict = {}
    torch.manual_seed(1)
    exec(compile(code, README.name, "exec"), ours)

    torch.manual_seed(1)
    model, state, losses = ours["Mine"](catbabi.classes), None, []
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    rows = catbabi.streams(ROWS, seed=seeds.derive(0, "training"))
    for _ in range(STEPS):
        tokens, targets, _, answers, _ = rows.next(200)
        logits, state = model(tokens, None if state is None else state.detach())
        losses.append(F.cross_entropy(logits[answers], targets[answers]))
        optimiser.zero_grad()
        losses[-1].backward()
        optimiser.step()
    torch.testing.assert_close(ours["loss"], losses[-1])
    assert losses[-1] < losses[0]
    for theirs, weight in zip(ours["model"].parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(theirs, weight)

    (whole,) = catbabi.segments("test", 1, 10**6)
    with torch.no_grad():
        logits, _ = model(whole.tokens)
    right = (logits.argmax(-1) == whole.targets)[whole.answers].float().mean()
    said = capsys.readouterr().out
    assert f"'answers': {int(whole.answers.sum())}" in said and "'per_task_accuracy': [" in said
    assert float(re.search(r"'accuracy': ([\d.]+)", said)[1]) == pytest.approx(float(right))
