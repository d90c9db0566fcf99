"""One graph of the model of `transformers`, run by `test_hf_compile.py` in a process without run-time shape checks."""

import io

import torch
from torch.export import Dim

from fastweights import state as states
from fastweights.hf import FastWeightConfig, FastWeightForCausalLM, RecurrentCache
from fastweights.hf.model import CACHE

TOKENS = torch.tensor([[1, 2, 3], [5, 6, 7]])
MASK = torch.tensor([[0, 1, 1], [1, 1, 1]])
SIZES = {"vocab_size": 20, "hidden_size": 8, "embedding_size": 8}
close = torch.testing.assert_close


def compile_in_one_graph(backbone):
    """Compile with a mask and labels, and going on from a cache."""
    torch.compiler.reset()
    model = FastWeightForCausalLM(FastWeightConfig(backbone=backbone, **SIZES)).eval()
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    given = {"attention_mask": MASK, "labels": TOKENS, "use_cache": False}
    made, expected = compiled(TOKENS, **given), model(TOKENS, **given)
    close((made.logits, made.loss), (expected.logits, expected.loss))
    state = states.detach(model(TOKENS)[CACHE].state)
    cache = RecurrentCache(state, 3)
    last = compiled(TOKENS, cache=cache, logits_to_keep=2).logits
    assert cache.get_seq_length() == 6
    close(last, model(TOKENS, cache=RecurrentCache(state, 3)).logits[:, 1:])
    return model


def export_of_one_size(model):
    """Export a model that goes on from a cache, save it and run it."""
    state = states.detach(model(TOKENS)[CACHE].state)
    with torch.no_grad():
        program = torch.export.export(model, (TOKENS,), {"cache": RecurrentCache(state, 3)})
        file = io.BytesIO()
        torch.export.save(program, file)
        file.seek(0)
        made = torch.export.load(file).module()(TOKENS, cache=RecurrentCache(state, 3))
        expected = model(TOKENS, cache=RecurrentCache(state, 3))
    close(made.logits, expected.logits)
    assert made[CACHE].get_seq_length() == 6


def export_of_any_size(model):
    """Export a model of any batch and time, from the beginning of texts."""
    sizes = {0: Dim("batch", min=1, max=64), 1: Dim("time", min=1, max=512)}
    given = {"attention_mask": MASK, "use_cache": False}
    shapes = {"input_ids": sizes, "attention_mask": sizes, "use_cache": None}
    with torch.no_grad():
        program = torch.export.export(model, (TOKENS,), given, dynamic_shapes=shapes)
    tokens = torch.arange(10).view(2, 5)
    mask = torch.ones_like(tokens)
    mask[0, 2:] = 0
    made = program.module()(tokens, attention_mask=mask, use_cache=False)
    close(made.logits, model(tokens, attention_mask=mask).logits)


if __name__ == "__main__":
    export_of_one_size(compile_in_one_graph("deltanet"))
    export_of_any_size(compile_in_one_graph("lstm"))
