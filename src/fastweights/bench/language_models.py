"""The gated delta rule of language models: our kernels in place of the functions of `transformers`."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from fastweights.bench import agreement, peers
from fastweights.bench.measure import Case, Note, measure_all
from fastweights.bench.report import recurrence_table
from fastweights.bench.subject import DEVICE, Bench, Progress, Row, device_of, silent
from fastweights.errors import UserError, check_at_least

OWN = "transformers"


class Shape(NamedTuple):
    """Sizes of a call: heads alike for keys and values, features of each."""

    batch: int
    time: int
    heads: int
    size: int

    def __str__(self) -> str:
        return f"B{self.batch} T{self.time}, {self.heads} heads of {self.size}"


SHAPES = (Shape(1, 512, 4, 64), Shape(1, 2048, 4, 64), Shape(1, 2048, 4, 128))
DECODED = Shape(1, 1, 16, 128)
GOALS = {"gated delta rule": 10.0, "Kimi's delta attention": 6.0, "decoding": 3.0}
BACKENDS = {"cpu": "auto", "cuda": "cuda"}
STEP = (2, 512)
"""Rows and tokens of the training step."""


def _function(model: str, name: str) -> Callable[..., Any]:
    """Return a model's own function.

    Raises:
        UserError: without a transformers that has it.
    """
    try:
        module = importlib.import_module(f"transformers.models.{model}.modeling_{model}")
        return getattr(module, name)
    except (ImportError, AttributeError):
        raise UserError(
            f"bench hf needs a transformers that has {model}: pip install 'fastweights[hf]'"
        ) from None


def _call(
    shape: Shape, own: Callable[..., Any], *, wide: bool, decoded: bool, device: str = "cpu"
) -> dict[str, agreement.Variant]:
    """Build a call of both functions on the same data, with gradients unless it decodes."""
    from fastweights.hf import gated_delta_rule

    batch, time, heads, size = shape
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator).to(device)

    q, k, v = (draw(batch, time, heads, size) for _ in range(3))
    beta = draw(batch, time, heads).sigmoid()
    g = -0.1 * draw(batch, time, heads, *[size] * wide).abs()
    start = draw(batch, heads, size, size) if decoded else None
    given, leaves = draw(batch, time, heads, size), (q, k, v, g, beta)

    def variant(function: Callable[..., Any]) -> agreement.Variant:
        def forward() -> tuple[Tensor, ...]:
            out, state = function(
                q,
                k,
                v,
                g=g,
                beta=beta,
                initial_state=start,
                output_final_state=decoded,
                use_qk_l2norm_in_kernel=True,
            )
            return (out, state) if decoded else (out,)

        if decoded:
            return torch.no_grad()(forward)
        return agreement.both_ways(forward, [leaf.requires_grad_() for leaf in leaves], given)

    built = {
        OWN: variant(own),
        "fused": variant(partial(gated_delta_rule, backend=BACKENDS[device])),
    }
    if device == "cuda":
        built["chunked"] = variant(partial(gated_delta_rule, backend="chunked"))
    return built


def _training_step() -> dict[str, agreement.Variant]:
    """Build a training step of a Qwen3-Next of about 50 million weights, dense, three of four layers linear."""
    from transformers import Qwen3NextConfig, Qwen3NextForCausalLM

    from fastweights.hf import accelerate

    config = Qwen3NextConfig(
        vocab_size=8192,
        hidden_size=512,
        intermediate_size=1536,
        num_hidden_layers=8,
        num_attention_heads=8,
        num_key_value_heads=2,
        head_dim=64,
        linear_num_key_heads=4,
        linear_num_value_heads=8,
        linear_key_head_dim=64,
        linear_value_head_dim=64,
        num_experts=0,
        mlp_only_layers=list(range(8)),
    )
    torch.manual_seed(0)
    model: nn.Module = Qwen3NextForCausalLM(config)
    tokens = torch.randint(8192, STEP, generator=torch.Generator().manual_seed(0))
    parameters = [*model.parameters()]

    def variant(ours: bool) -> agreement.Variant:
        def call() -> tuple[Tensor, ...]:
            with accelerate(model) if ours else nullcontext():
                loss = model(input_ids=tokens, labels=tokens, use_cache=False).loss
                gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
            # Gradients of a head's decays are sums that cancel to a millionth: rounding, in either.
            return loss, *(each for each in gradients if each is not None and each.dim() > 1)

        return call

    return {OWN: variant(False), "fused": variant(True)}


def run(
    shapes: tuple[Shape, ...] = SHAPES,
    *,
    threads: int = 1,
    repeats: int = 5,
    device: str | None = None,
    progress: Progress = silent,
) -> list[Row]:
    """Measure both rules forward and backward, decoding of one token, and a whole training step, float32.

    Args:
        shapes: of the calls with gradients.
        device: "cpu" (None), or "cuda", where the gated delta rule and decoding have kernels of ours and are measured.
        threads, repeats, progress: as of every `Bench.run`.

    Returns:
        A row for each: `kind`, the sizes, and what `measure` says of it.

    Raises:
        UserError: without transformers, or for sizes, threads or repeats below 1.
    """
    where = device_of(device)
    chunk = _function("qwen3_next", "torch_chunk_gated_delta_rule")
    recurrent = _function("qwen3_next", "torch_recurrent_gated_delta_rule")
    kimi = _function("kimi_linear", "chunk_kimi_delta_attention")
    cases = []
    for shape in shapes:
        check_at_least(1, **shape._asdict())
        for kind, own, wide in (
            ("gated delta rule", chunk, False),
            ("Kimi's delta attention", kimi, True),
        ):
            if wide and where == "cuda":
                continue
            build = partial(_call, shape, own, wide=wide, decoded=False, device=where)
            cases.append(_case(kind, shape, build, where))
    decode = partial(_call, DECODED, recurrent, wide=False, decoded=True, device=where)
    cases.append(_case("decoding", DECODED, decode, where))
    if where == "cpu":
        rows, tokens = STEP
        title = f"training step of Qwen3-Next, 50M weights, {rows} × {tokens} tokens"
        cases.append(Case(title, _training_step, OWN, about={"kind": "training step"}))
    return measure_all(
        "hf", cases, threads=threads, repeats=repeats, progress=progress, device=where
    )


def _case(
    kind: str, shape: Shape, build: Callable[[], dict[str, agreement.Variant]], device: str
) -> Case:
    about, on_gpu = {"kind": kind, **shape._asdict()}, device == "cuda"
    note = Note() if on_gpu else Note(goals={OWN: GOALS[kind]})
    others = partial(peers.flash, "gated delta rule", *shape) if on_gpu and shape.time > 1 else dict
    return Case(f"{kind}, {shape}", build, OWN, note=note, about=about, others=others)


BENCH = Bench(
    "hf",
    "the gated delta rule of language models against transformers' own, alone and in a training step.",
    run,
    recurrence_table,
    repeats=5,
    options=(DEVICE,),
)
