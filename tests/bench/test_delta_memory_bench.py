"""The memory's benchmark: every variant computes the same, operations are those of the products, rows make a figure."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from fastweights.bench import agreement, memories, official, training_step
from fastweights.bench import delta_memory as bench
from fastweights.bench.memories import Heads, Shape
from fastweights.bench.saved import saved_bytes
from fastweights.cli import main
from fastweights.errors import UserError
from fastweights.ops.delta_memory.cpu.plan import pick_chunk

TINY = Shape(2, 7, 5, 2)


@pytest.mark.parametrize("carried", [False, True])
def test_variants_agree_with_the_steps_written_out(carried: bool) -> None:
    found = agreement.errors(memories.variants(TINY._replace(carried=carried)), "steps")
    assert found.keys() == {"fused", "chunked"} and max(found.values()) < 1e-4
    retrieved, F, *gradients = memories.variants(TINY)["steps"]()
    assert retrieved.shape == (2, 7, 5) and F.shape == (2, 5, 5, 5)
    assert [tuple(g.shape) for g in gradients] == [(2, 7, 16), (2, 7, 15)]
    assert all(g.abs().max() > 0 for g in gradients)


def test_heads_threads_and_decoding_agree_too() -> None:
    for built, truth in (
        (memories.heads(Heads(2, 9, 2, 4)), "steps"),
        (memories.threaded(TINY, 1), "one thread"),
        (memories.decoding(), "steps"),
    ):
        assert max(agreement.errors(built, truth).values()) < 1e-3


def test_threads_are_as_before_afterwards() -> None:
    before = torch.get_num_threads()
    memories.threaded(TINY, before + 1)["fused"]()
    assert torch.get_num_threads() == before


def test_a_training_step_is_the_same_whatever_runs_it() -> None:
    backends = {"fused": ("auto", "auto"), "steps": ("reference", "torch")}
    built = training_step.variants(training_step.Shape(2, 5), backends)
    assert agreement.errors(built, "steps")["fused"] < 1e-3


def test_every_weight_has_its_name_with_the_authors() -> None:
    model = training_step.network()
    assert {name for name, _ in model.named_parameters()} == set(training_step.THEIR_NAMES)


@pytest.mark.parametrize("carried", [False, True])
@pytest.mark.parametrize("time", [3, 150])
def test_flops_are_those_of_the_products_written_out(time: int, carried: bool) -> None:
    """Counted step by step, product by product."""
    batch, d, reads = 2, 6, 3
    chunk = pick_chunk(time, d * d, empty=not carried, needs_memory_grad=False)
    total = 0
    for t in range(time):
        start = t - t % chunk
        total += 2 * d**3  # its share of F at the end of the chunk
        if start or carried:
            total += (1 + reads) * 2 * d**3  # F₀ k, and F₀ times each query
            total += (1 + reads) * 2 * d**3  # and from their gradients those of keys and queries
        if start:
            total += (1 + reads) * 2 * d**3  # and that of F₀
        if start + chunk < time:
            total += 2 * 2 * d**3  # from the gradient of F at the chunk's end to those of u and k
        seen = (t - start) + reads * (t - start + 1)
        total += seen * 3 * 2 * d  # ⟨k1, k1⟩, ⟨k2, k2⟩ and the multiple of u
        total += seen * 8 * 2 * d  # both again, and what this owes: twice for u, k1 and k2
    assert Shape(batch, time, d, reads, carried).flops() == batch * total


def test_saved_bytes_are_those_of_the_tensors_kept() -> None:
    x = torch.ones(10, requires_grad=True)
    assert saved_bytes((x * x).sum(), (x,)) == 0
    y = x.exp()
    assert saved_bytes((y * y).sum(), (x,)) == 40  # y, once
    found = memories.saved(Shape(1, 100, 24, 2))
    assert 0 < found["fused"] < found["chunked"] < found["steps"]
    assert found["steps"] > 100 * 4 * 24**3  # a memory for every step


def test_cases_name_what_is_to_be_reached() -> None:
    goals = {(case.about["group"], case.title): case.note.goals for case in bench.cases()}
    main_goals = goals["memory", str(bench.MAIN)]
    assert main_goals == {"steps": 20, "authors": 55}
    assert {"authors": 22} in goals.values() and {"authors": 35} in goals.values()
    assert {"one thread": 1.7} in goals.values() and {"steps": 10} in goals.values()


def test_only_some_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "GROWTH", (Shape(1, 3, 4, 1),))
    (row,) = bench.run(repeats=1, only="growth with time")
    assert row["group"] == bench.TIME
    with pytest.raises(UserError, match="no case of the benchmark matches 'nothing'"):
        bench.run(repeats=1, only="nothing")


def test_variants_of_a_step_with_answers_only_agree() -> None:
    shape = training_step.Shape(2, 30, asked=0.2)
    built = training_step.variants(shape, {"a": ("auto", "torch"), "b": ("reference", "torch")})
    for one, other in zip(built["a"](), built["b"](), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_growth_takes_the_variants_measured_everywhere() -> None:
    with pytest.raises(UserError, match="--only has left out"):
        bench.growth([{"group": "memory", "milliseconds": {}}])
    rows = [
        {"group": bench.TIME, "milliseconds": {"fused": 1.0, "steps": 9.0}},
        {"group": bench.TIME, "milliseconds": {"fused": 2.0}},
        {"group": "memory", "milliseconds": {"fused": 7.0}},
    ]
    (axes,) = bench.growth(rows).axes
    (line,) = axes.lines
    assert line.get_label() == "fused"
    assert line.get_xydata().tolist() == [[200, 1.0], [400, 2.0]]


def test_a_folder_that_is_no_checkout(tmp_path: Path) -> None:
    with (
        pytest.raises(UserError, match="no checkout of the authors' code"),
        official.program(tmp_path),
    ):
        pass


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["import", "--official", "."], "--official is an option of the benchmark delta-memory"),
        (["delta-memory", "--compile"], "--compile is an option of the benchmark fast-weight-rnn"),
        (["delta-memory", "--official", "nowhere"], "no checkout"),
    ],
)
def test_options_of_another_benchmark(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", *words]) == 2
    assert said in capsys.readouterr().err
