"""Measure how the fast-weights RNN should start its input weights where x is dense: std 1, or 1 / √input_size.

    python scripts/input_std.py --out results/input-std

Three tasks whose inputs are dense vectors, three seeds, the same steps: test accuracy in percent.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from fastweights.io.atomic import write_atomically
from fastweights.models import SequenceModel
from fastweights.nn import FastWeightRNN
from fastweights.tasks import Retrieval

SEEDS = (0, 1, 2)
HIDDEN, BATCH, LEARNING_RATE = 50, 128, 3e-3
STEPS, TEST = 600, 4096

INTRODUCTION = """# The start of the input weights where inputs are dense

`python scripts/input_std.py --out results/input-std`, one thread. Test accuracy in percent of the fast-weights RNN,
{HIDDEN} units, after {STEPS:,} steps of {BATCH} sequences (Adam, {LEARNING_RATE:g}), seeds 0, 1, 2. C starts normal
with standard deviation 1, which suits one-hot inputs, or with 1 / √features, which is the layer's default.

| task | inputs | features | std 1 | std 1 / √features |
|---|---|---|---|---|
"""


class Task(NamedTuple):
    """A task of dense inputs.

    Attributes:
        inputs: what they are, for the table.
        features: of an input.
        classes: of answers.
        sample: draws sequences and their answers.
        encoder: turns what was drawn into vectors.
    """

    inputs: str
    features: int
    classes: int
    sample: Callable[[int, torch.Generator], tuple[Tensor, Tensor]]
    encoder: Callable[[], nn.Module] = nn.Identity


def recall_of_embeddings() -> Task:
    """Associative retrieval of Ba et al. 2016, four pairs, through a learned embedding."""
    task = Retrieval(4)

    def sample(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        batch = task.sample(count, generator)
        return task.inputs(batch), batch.answer

    return Task("a learned embedding", 64, 10, sample, lambda: nn.Embedding(37, 64))


def recall_of_vectors() -> Task:
    """Four pairs of a random key and one of eight fixed vectors; then a key, for the number of its vector."""
    size, pairs, values = 32, 4, 8
    table = torch.randn(values, size, generator=torch.Generator().manual_seed(9))

    def sample(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        keys = torch.randn(count, pairs, size, generator=generator)
        chosen = torch.randint(values, (count, pairs), generator=generator)
        asked = torch.randint(pairs, (count,), generator=generator)
        rows = torch.arange(count)
        shown = torch.cat([keys, table[chosen]], 2)
        question = torch.cat([keys[rows, asked], torch.zeros(count, size)], 1)
        return torch.cat([shown, question[:, None]], 1), chosen[rows, asked]

    return Task("random keys beside one of 8 vectors", 2 * size, values, sample)


def first_of_vectors() -> Task:
    """Nine noisy copies of ten fixed vectors; the answer is the number of the first."""
    size, count_of, length = 100, 10, 9
    table = torch.randn(count_of, size, generator=torch.Generator().manual_seed(9))

    def sample(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        chosen = torch.randint(count_of, (count, length), generator=generator)
        noise = torch.randn(count, length, size, generator=generator)
        return table[chosen] + 3 * noise, chosen[:, 0]

    return Task("one of 10 vectors and three times the noise", size, count_of, sample)


TASKS = {
    "retrieval, 4 pairs": recall_of_embeddings,
    "recall of vectors, 4 pairs": recall_of_vectors,
    "the first of 9 vectors": first_of_vectors,
}


def accuracy(task: Task, input_std: float, seed: int, steps: int) -> float:
    """Train a network; return its test accuracy in percent."""
    torch.manual_seed(seed)
    backbone = FastWeightRNN(task.features, HIDDEN, input_std=input_std)
    model = SequenceModel(task.encoder(), backbone, nn.Linear(HIDDEN, task.classes))
    optimiser = torch.optim.Adam(model.parameters(), LEARNING_RATE)
    training, test = (torch.Generator().manual_seed(seed + far) for far in (1000, 2000))
    for _ in range(steps):
        x, target = task.sample(BATCH, training)
        logits, _ = model(x, last_only=True, need_state=False)
        loss = nn.functional.cross_entropy(logits, target)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
    x, target = task.sample(TEST, test)
    with torch.no_grad():
        logits, _ = model(x, last_only=True, need_state=False)
    return 100 * float((logits.argmax(1) == target).double().mean())


def main() -> int:
    """Measure, print each row, and write all of them where asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, help="folder for rows.jsonl and README.md")
    parser.add_argument("--steps", type=int, default=STEPS)
    given = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for name, build in TASKS.items():
        task = build()
        for kind, std in (("1", 1.0), ("1/sqrt", 1 / math.sqrt(task.features))):
            began = time.monotonic()
            found = [accuracy(task, std, seed, given.steps) for seed in SEEDS]
            row = {"task": name, "inputs": task.inputs, "features": task.features, "std": kind}
            row |= {"accuracy": found, "steps": given.steps}
            row |= {"seconds": round(time.monotonic() - began, 1), "torch": torch.__version__}
            rows.append(row)
            print(json.dumps(row), flush=True)
    if given.out is not None:
        given.out.mkdir(parents=True, exist_ok=True)
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        write_atomically(given.out / "rows.jsonl", lines.encode())
        write_atomically(given.out / "README.md", page(rows, given.steps).encode())
    return 0


def page(rows: list[dict[str, object]], steps: int) -> str:
    """Return the table, a row a task, of which two rows of figures each are."""
    text = INTRODUCTION.format(HIDDEN=HIDDEN, STEPS=steps, BATCH=BATCH, LEARNING_RATE=LEARNING_RATE)
    for one, small in zip(rows[::2], rows[1::2], strict=True):
        figures = (", ".join(f"{each:.1f}" for each in row["accuracy"]) for row in (one, small))  # type: ignore[attr-defined]
        text += f"| {one['task']} | {one['inputs']} | {one['features']} | {' | '.join(figures)} |\n"
    return text


if __name__ == "__main__":
    raise SystemExit(main())
