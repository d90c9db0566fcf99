"""Hold the Fast Weight Memory against its authors' released code: shared random weights, float64, two segments.

    python scripts/equal_to_official.py DIR          # DIR: a checkout of github.com/ischlag/Fast-Weight-Memory-public
    python scripts/equal_to_official.py DIR --backend reference --json

The three programs there (catbAbI in both modes, language modelling, meta-RL) run as they are, beside this library, on
the same inputs; the state after the first segment goes into the second. Compared are outputs where they are defined
(in QA mode at `?` alone, never at padding), the state after each segment, and every weight's gradient through both.
Exit code 1 if a relative error is over the limit, 2 if DIR is no such checkout.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from fastweights.cli.console import print_json, print_table, say
from fastweights.errors import UserError
from fastweights.models import SequenceModel
from fastweights.nn import FWMLSTM
from fastweights.runs.environment import commit, versions

LIMIT = 1e-10
"""Largest difference allowed, relative to the largest value of the authors' tensor."""
BATCH, TIME, SEGMENTS = 6, 30, 2
INPUT, HIDDEN, MEMORY, READS = 16, 24, 8, 3
VOCABULARY, PAD, QUESTION = 30, 0, 1

MEMORY_NAMES = {
    f"memory.{ours}.{kind}": f"{theirs}.{kind}"
    for ours, theirs in (("write", "fwm.W_write"), ("read", "fwm.W_read"), ("out", "linear"))
    for kind in ("weight", "bias")
}
LSTM_NAMES = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
META_RL_NAMES = MEMORY_NAMES | {f"lstm.rnn.{name}": f"rnn.{name}" for name in LSTM_NAMES}
LANGUAGE_MODEL_NAMES = MEMORY_NAMES | {
    f"lstm.rnn.{name}": f"rnn.module.{name}{'_raw' if name == 'weight_hh_l0' else ''}"
    for name in LSTM_NAMES
}
CELL = "rnn.cells.0."
CATBABI_NAMES = {
    "encoder.weight": "embedding.weight",
    "head.weight": "linear.weight",
    "backbone.lstm.rnn.weight_ih_l0": f"{CELL}lstm.W_ih",
    "backbone.lstm.rnn.weight_hh_l0": f"{CELL}lstm.W_hh",
    "backbone.lstm.rnn.bias_ih_l0": f"{CELL}lstm.bias",
} | {
    f"backbone.{ours}": CELL + theirs.removeprefix("fwm.") for ours, theirs in MEMORY_NAMES.items()
}


class Pair(NamedTuple):
    """A tensor of ours and the authors' own."""

    part: str
    name: str
    ours: Tensor
    theirs: Tensor


class Program(NamedTuple):
    """One of the released programs: the file its memory is in, and what runs it beside ours."""

    name: str
    file: str
    pairs: Callable[[ModuleType, str], Iterator[Pair]]


def catbabi(released: ModuleType, backend: str, *, questions_only: bool) -> Iterator[Pair]:
    """The whole catbAbI network, tokens to logits, with a segment whose last rows are padded."""
    theirs = released.Model(
        SimpleNamespace(
            vocab_size=VOCABULARY,
            embedding_size=INPUT,
            hidden_size=HIDDEN,
            s_size=MEMORY,
            r_size=MEMORY,
            t_size=MEMORY,
            n_reads=READS,
            residual=False,
            ra_mode=questions_only,
            QM=QUESTION,
            PAD=PAD,
        )
    )
    ours = SequenceModel(
        nn.Embedding(VOCABULARY, INPUT),
        FWMLSTM(INPUT, HIDDEN, MEMORY, READS, backend=backend),
        nn.Linear(HIDDEN, VOCABULARY, bias=False),
    )
    spread(ours)
    share(ours, theirs, CATBABI_NAMES)
    with torch.no_grad():  # its cell adds 1 to the forget gate, of which our bias starts
        theirs.get_parameter(f"{CELL}lstm.bias")[HIDDEN : 2 * HIDDEN] -= 1
    state, hidden, read = None, None, []
    for segment, shorter in enumerate(((0, 0), (4, 11)), 1):
        lengths = torch.tensor([TIME] * (BATCH - 2) + [TIME - less for less in shorter])
        mask = torch.arange(TIME) < lengths[:, None]
        tokens = torch.randint(1, VOCABULARY, (BATCH, TIME))
        tokens = torch.where(torch.rand(BATCH, TIME) < 0.2, QUESTION, tokens).where(mask, PAD)
        read_mask = tokens == QUESTION if questions_only else mask
        logits, state = ours(tokens, state, mask=mask, read_mask=read_mask)
        expected, _, hidden = theirs(tokens, lengths, hidden)
        (h, c), F = hidden[0]
        pairs = [Pair(f"segment {segment}", "logits", logits[read_mask], expected[read_mask])]
        read += pairs
        yield from pairs
        yield from states(segment, state, h, c, F)
    yield from gradients(ours, theirs, CATBABI_NAMES, read)


def time_first(
    released: ModuleType,
    backend: str,
    *,
    variant: str,
    options: dict[str, Any],
    names: dict[str, str],
    flat: bool,
) -> Iterator[Pair]:
    """The layer of the language model or of the meta-RL agent, vectors [time, batch, features]."""
    theirs = released.FWMRNN(INPUT, HIDDEN, **options).eval()
    ours = FWMLSTM(INPUT, HIDDEN, MEMORY, READS, variant=variant, backend=backend)
    spread(ours)
    share(ours, theirs, names)
    state, read = None, []
    keys = (MEMORY * MEMORY,) if flat else (MEMORY, MEMORY)
    zeros = torch.zeros(1, BATCH, HIDDEN)
    hidden = ((zeros, zeros), torch.zeros(BATCH, *keys, MEMORY))
    for segment in range(1, SEGMENTS + 1):
        x = torch.randn(BATCH, TIME, INPUT)
        y, state = ours(x, state)
        expected, hidden = theirs(x.transpose(0, 1), hidden)
        (h, c), F = hidden
        pair = Pair(f"segment {segment}", "outputs", y, expected.transpose(0, 1))
        read.append(pair)
        yield pair
        yield from states(segment, state, h[0], c[0], F.reshape(state.memory.shape))
    yield from gradients(ours, theirs, names, read)


SIZES = {"s_size": MEMORY, "r_size": MEMORY, "t_size": MEMORY}
PROGRAMS = [
    Program("catbAbI, QA mode", "catbAbI/models/lm_fwm.py", partial(catbabi, questions_only=True)),
    Program("catbAbI, LM mode", "catbAbI/models/lm_fwm.py", partial(catbabi, questions_only=False)),
    Program(
        "language modelling",
        "language-modelling/fwm/myfastweights_v2.py",
        partial(
            time_first,
            variant="language_model",
            options={"withFWM": True, "params": SIZES},
            names=LANGUAGE_MODEL_NAMES,
            flat=True,
        ),
    ),
    Program(
        "meta-RL",
        "metaRL/myfastweights.py",
        partial(
            time_first,
            variant="meta_rl",
            options={"s_size": MEMORY},
            names=META_RL_NAMES,
            flat=False,
        ),
    ),
]


def spread(ours: nn.Module) -> None:
    """Make every weight large enough for each tanh, and the clamp, to act."""
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.mul_(2).add_(0.2 * torch.randn_like(parameter))


def share(ours: nn.Module, theirs: nn.Module, names: dict[str, str]) -> None:
    """Copy all of our weights into the authors' network; both have these and no others."""
    assert names.keys() == dict(ours.named_parameters()).keys()
    assert set(names.values()) == dict(theirs.named_parameters()).keys()
    with torch.no_grad():
        for name, their_name in names.items():
            theirs.get_parameter(their_name).copy_(ours.get_parameter(name))


def states(segment: int, state: Any, h: Tensor, c: Tensor, F: Tensor) -> Iterator[Pair]:
    part = f"segment {segment}"
    backbone = zip(("hidden", "cell", "memory"), state, (h, c, F), strict=True)
    yield from (Pair(part, name, mine, other) for name, mine, other in backbone)


def gradients(
    ours: nn.Module, theirs: nn.Module, names: dict[str, str], read: list[Pair]
) -> Iterator[Pair]:
    """Send the same random gradient back through what was read in both segments."""
    sent = [torch.randn_like(pair.theirs) for pair in read]
    torch.autograd.backward([pair.ours for pair in read], sent)
    torch.autograd.backward([pair.theirs for pair in read], sent)
    for name, their_name in names.items():
        mine, other = ours.get_parameter(name).grad, theirs.get_parameter(their_name).grad
        assert mine is not None and other is not None
        yield Pair("gradient", name, mine, other)


@contextlib.contextmanager
def program_of(root: Path, file: str) -> Iterator[ModuleType]:
    """Import a file of the checkout as its own program does, and forget all it brought along."""
    top, _, module = file.removesuffix(".py").partition("/")
    if module.startswith("fwm/"):
        top, module = f"{top}/fwm", module.removeprefix("fwm/")
    before, path, written = set(sys.modules), sys.path.copy(), sys.dont_write_bytecode
    sys.path.insert(0, str(root / top))
    sys.dont_write_bytecode = True
    try:
        yield importlib.import_module(module.replace("/", "."))
    finally:
        sys.path[:], sys.dont_write_bytecode = path, written
        for name in set(sys.modules) - before:
            if str(root) in str(getattr(sys.modules[name], "__file__", "")):
                del sys.modules[name]


def compare(root: Path, backend: str) -> list[dict[str, Any]]:
    """Run every program beside ours and measure how far each pair of tensors is apart."""
    rows = []
    for program in PROGRAMS:
        torch.manual_seed(0)
        with program_of(root, program.file) as released:
            for part, name, ours, theirs in program.pairs(released, backend):
                error = float((ours - theirs).detach().abs().max())
                row = {
                    "program": program.name,
                    "part": part,
                    "tensor": name,
                    "max_error": error,
                    "max_relative_error": error / float(theirs.detach().abs().max()),
                }
                if name == "memory":
                    norms = theirs.detach().flatten(1).norm(dim=1)
                    row["rows_at_the_clamp"] = int((norms > 1 - 1e-9).sum())
                rows.append(row)
    return rows


def commit_of(root: Path) -> str | None:
    """Name the commit of the checkout; None where git cannot say."""
    command = ["git", "-C", str(root), "rev-parse", "HEAD"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip()


def main() -> int:
    parser = argparse.ArgumentParser(description="Compare the memory with its authors' code.")
    parser.add_argument("checkout", type=Path, metavar="DIR", help="the authors' repository")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--backend", default="auto", help="which backend of ours runs")
    arguments = parser.parse_args()
    root = arguments.checkout.resolve()
    missing = [program.file for program in PROGRAMS if not (root / program.file).is_file()]
    if missing:
        say(f"{arguments.checkout} is no checkout of the authors' code: it has no {missing[0]}")
        return 2
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    try:
        runs = FWMLSTM(INPUT, HIDDEN, MEMORY, READS, backend=arguments.backend).backend_in_use
    except UserError as error:
        say(str(error))
        return 2
    with contextlib.redirect_stdout(sys.stderr):  # their modules print
        rows = compare(root, arguments.backend)
    worst = max(row["max_relative_error"] for row in rows)
    if arguments.json:
        print_json(
            {
                "rows": rows,
                "worst": worst,
                "limit": LIMIT,
                "passed": worst <= LIMIT,
                "backend": runs,
                "official_commit": commit_of(root),
                "commit": commit(),
                "versions": versions(),
            }
        )
    else:
        columns = ("program", "part", "tensor", "max_error", "max_relative_error")
        cells = (
            tuple(f"{row[c]:.1e}" if "error" in c else row[c] for c in columns) for row in rows
        )
        verdict = "passed" if worst <= LIMIT else "FAILED"
        note = f"worst relative error {worst:.1e}, limit {LIMIT:.0e}: {verdict}"
        print_table("this library against the authors' code", columns, cells)
        print(note)
    return 0 if worst <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
