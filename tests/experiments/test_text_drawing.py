"""Pictures of language models: which passage is chosen, what is read of it, figures that hold a run's own numbers."""

from __future__ import annotations

import json
import logging
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fastweights import models
from fastweights.cli import main
from fastweights.errors import UserError
from fastweights.experiments import runner as running
from fastweights.experiments.plotting import draw
from fastweights.experiments.text import TEXT, passage
from fastweights.experiments.text import figures as drawing
from fastweights.experiments.text.options import TextOptions
from fastweights.experiments.text.passage import Passage
from fastweights.runs.records import sealed
from fastweights.tasks.text_pieces import Pieces
from fastweights.tasks.text_words import Words
from fastweights.training import evaluate_words

TOKENIZER = Words(["<unk>", "<eos>", "the", "smith", "jones", "said"])
TINY = {"embedding": 6, "hidden": 8, "layers": 2, "batch": 8, "length": 20, "epochs": 2}
TINY |= {"backend": "reference"}  # nothing to compile


@pytest.fixture(scope="module")
def trained(text_files, tmp_path_factory):
    """Runs of both models, and another seed of the one, that went over to averaged SGD."""
    folder = tmp_path_factory.mktemp("runs")
    chosen = {
        "fwm": TextOptions(data=text_files, model="awd-fwm", memory_size=4, averaging_epoch=1, **TINY),
        "fwm-1": TextOptions(data=text_files, model="awd-fwm", memory_size=4, averaging_epoch=1, seed=1, **TINY),
        "lstm": TextOptions(data=text_files, model="awd-lstm", **TINY),
    }  # fmt: skip
    for name, options in chosen.items():
        running.train(TEXT, options, folder / name)
    return {name: folder / name for name in chosen}


def figures_of(runs: list[drawing.Run], sequence: str | None = None):
    one = len(runs) == 1
    drawn = drawing.draw(runs[0], sequence) if one else drawing.compare(runs, sequence)
    return {figure.name: figure.make() for figure in drawn}


def words_of(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def surprises_of(figure, rows=1):
    return figure.axes[0].collections[0].get_array().reshape(-1, rows).T


@given(st.lists(st.integers(0, 5), min_size=2, max_size=60), st.integers(1, 20), st.integers(0, 9))
def test_the_passage_chosen_holds_most_rare_words_that_return(tokens, length, before):
    counts = torch.tensor([9, 900, 900, 200, 100, 1])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passage, "BEFORE", before)
        chosen = passage.most_recurring(torch.tensor(tokens), counts, TOKENIZER, length)

    def returning(start):
        held = tokens[start : start + length]
        return len({word for word in held if word > 2 and held.count(word) > 1})

    length = min(length, len(tokens))
    lines = [s for s in range(1, len(tokens) - length + 1) if tokens[s - 1] == 1 != tokens[s]]
    far = [start for start in [0, *lines] if start >= before]
    best = max(far or [0, *lines], key=returning)
    assert chosen.start == min(best, before)
    assert chosen.tokens.tolist() == tokens[max(0, best - before) : best + length]


def test_what_is_read_before_a_passage_is_limited():
    tokens = torch.tensor([2] * 999 + [1, 3, 2, 3])
    counts = torch.tensor([0, 900, 900, 0, 0, 0])
    chosen = passage.most_recurring(tokens, counts, TOKENIZER, 3)
    assert len(chosen.tokens) == passage.BEFORE + 3 and chosen.start == passage.BEFORE
    assert passage.spelled(chosen, TOKENIZER) == ["smith", "the", "smith"]


def test_pieces_of_words_are_spelled(text_files):
    pytest.importorskip("tokenizers")
    pieces = Pieces.learn(Path(text_files[0]).read_text(), 300)
    tokens = pieces.encode("the cat  é\n")
    words = passage.spelled(Passage(tokens, 0), pieces)
    assert "".join(words).startswith("the␣cat␣␣") and words[-1] == "<eos>"
    assert not any(word.isspace() or "Ġ" in word for word in words)


@pytest.mark.parametrize("name", ["awd-fwm", "awd-lstm"])
@pytest.mark.parametrize("start", [0, 3])
def test_a_passage_is_read_word_by_word(name, start):
    options = {"layers": 2, "backend": "reference"}
    config = models.model_config(name, input=6, hidden=8, classes=6, options=options)
    model = models.from_config(config).eval()
    tokens = torch.tensor([1, 2, 3, 5, 2, 4, 5])
    bits, weights = passage.read(model, Passage(tokens, start))
    assert len(bits) == 7 - start and math.isnan(bits[0]) == (start == 0)
    whole = passage.read(model, Passage(tokens, 0)).bits
    torch.testing.assert_close(bits, whole[start:], equal_nan=True)
    mean = evaluate_words(model, tokens)[1.0] / math.log(2)
    assert float(whole[1:].mean()) == pytest.approx(mean, rel=1e-5)
    if name == "awd-lstm":
        assert weights is None
        return
    read = model.trace(tokens[None], memory_steps=()).read_weights[0]
    for place in range(max(start, 1), 7):
        torch.testing.assert_close(weights[place - start], read[place - 1, :, start:])


def test_the_word_whose_return_surprises_least_beside_its_first_place():
    words = torch.tensor([1, 3, 4, 1, 3, 0, 4, 3, 0])
    bits = torch.tensor([math.nan, 9.0, 14.0, 0.1, 8.0, 15.0, 3.0, 7.0, 0.0])
    assert passage.remembered(words, bits, TOKENIZER) == (2, 6)
    assert passage.remembered(words[:3], bits[:3], TOKENIZER) is None


def test_a_run_is_drawn_with_its_own_numbers(trained):
    run = drawing.open_to_draw(trained["fwm"])
    made = figures_of([run])
    assert list(made) == ["training", "passage"]
    left, right = made["training"].axes
    rows = run.metrics[1:]
    assert left.lines[0].get_xdata().tolist() == [1, 2]
    expected = [row["validation_perplexity"] for row in rows]
    np.testing.assert_allclose(left.lines[0].get_ydata(), expected)
    assert right.lines[0].get_ydata()[-1] == run.plan["averaging_rate"]
    assert [line.get_xdata()[0] for line in left.lines if line.get_linestyle() == ":"] == [1]
    text = run.task.tokenizer.decode(run.task.split("test"))
    shown = [word for word in words_of(made["passage"])[: passage.LENGTH] if word != "<eos>"]
    assert " ".join(shown) in text.replace("\n", " ")
    assert "what the reads for" in made["passage"].get_suptitle()


def test_a_typed_text_is_read_by_one_model_or_two(trained):
    runs = [drawing.open_to_draw(trained[name]) for name in ("lstm", "fwm")]
    typed = "the cat sees\na dog again"
    (alone,) = [figures_of([run], typed)["passage"] for run in runs[:1]]
    words = ["<eos>", "the", "cat", "sees", "<eos>", "a", "dog", "again"]
    assert words_of(alone) == words
    both = figures_of(runs, typed)
    assert list(both) == ["comparison", "surprise"]
    assert words_of(both["surprise"])[:8] == words
    np.testing.assert_allclose(surprises_of(both["surprise"], 2)[0], surprises_of(alone)[0])
    labels = [label.get_text() for label in both["surprise"].axes[0].get_yticklabels()]
    assert labels[:3] == ["awd-lstm", "awd-fwm", "difference"]


def test_seeds_are_averaged_word_by_word(trained):
    runs = [drawing.open_to_draw(trained[name]) for name in ("fwm", "lstm", "fwm-1")]
    made = figures_of(runs)
    first = np.mean([surprises_of(figures_of([run])["passage"])[0] for run in runs[::2]], 0)
    np.testing.assert_allclose(surprises_of(made["surprise"], 2)[0], first, rtol=1e-6)
    assert made["surprise"].axes[0].get_yticklabels()[0].get_text() == "awd-fwm, 2 seeds"
    names = [line.get_label() for line in made["comparison"].axes[1].lines]
    assert names == ["awd-fwm (2 seeds, ± sd)", "awd-lstm"]
    assert len(made["comparison"].axes[0].collections) == 1


def test_without_the_data_only_a_typed_text_is_read(trained, text_files, tmp_path, caplog):
    hidden = [Path(path).rename(f"{path}.hidden") for path in text_files]
    try:
        with caplog.at_level(logging.WARNING):
            pictures = draw([trained["fwm"]], out=tmp_path)
            typed = draw([trained["fwm"]], out=tmp_path, sequence="the cat")
    finally:
        for path in hidden:
            path.rename(path.with_suffix(""))
    assert [path.name for path in pictures] == ["training.png"]
    assert [path.name for path in typed] == ["training.png", "passage.png"]
    assert "no passage is drawn without --sequence" in caplog.text


def test_the_command_compares_two_runs(trained, tmp_path, capsys):
    words = ["plot", str(trained["lstm"]), str(trained["fwm"]), "--out", str(tmp_path)]
    assert main([*words, "--sequence", "nobody sees a fish"]) == 0
    assert capsys.readouterr().out.split() == [
        str(tmp_path / "comparison.png"),
        str(tmp_path / "surprise.png"),
    ]


@pytest.mark.usefixtures("unchecked")
def test_slips(trained, text_files, tmp_path, capsys):
    other = tmp_path / "other"
    running.train(TEXT, TextOptions(data=text_files, vocabulary=9, model="awd-lstm", **TINY), other)
    pair = (trained["lstm"], trained["fwm"])
    same = shutil.copytree(pair[0], tmp_path / "same")
    for words, said in (
        (("plot", trained["lstm"], other), "runs on different texts, or with other vocabularies"),
        (("plot", pair[0], "--sequence", "cat " * 400), "room for 399 words, not 400"),
        (("plot", *pair, "--sequence", " "), "the text is empty"),
        (("plot", pair[0], same, "--sequence", "cat"), "by two models in one figure, not by 1"),
    ):
        assert main([str(word) for word in (*words, "--out", tmp_path / "no")]) == 2
        out, err = capsys.readouterr()
        assert out == "" and err.count("\n") == 1 and said in err
    assert not (tmp_path / "no").exists()
    config = json.loads((same / "config.json").read_text())
    config["task"]["options"]["data"] = ["ptb"]
    (same / "config.json").write_text(json.dumps(sealed(config)))
    with pytest.raises(UserError, match="nowhere"):
        drawing.open_to_draw(same, tmp_path / "nowhere")
