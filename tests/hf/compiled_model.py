"""One graph of the model of `transformers`, run by `test_hf_compile.py` in a process without run-time shape checks."""

import io

import torch

from fastweights import state as states
from fastweights.hf import FastWeightConfig, FastWeightForCausalLM, RecurrentCache
from fastweights.hf.model import CACHE

if __name__ == "__main__":
    TOKENS = torch.tensor([[1, 2, 3, 4], [5, 6, 7, 8]])
    MASK = torch.tensor([[0, 0, 1, 1], [1, 1, 1, 1]])
    SIZES = {"vocab_size": 20, "hidden_size": 8, "embedding_size": 8}
    model = FastWeightForCausalLM(FastWeightConfig(backbone="deltanet", **SIZES)).eval()
    close = torch.testing.assert_close

    compiled = torch.compile(model, backend="eager", fullgraph=True)
    for given in ({}, {"attention_mask": MASK}, {"labels": TOKENS}):
        made, expected = compiled(TOKENS, **given), model(TOKENS, **given)
        close(made.logits, expected.logits)
        assert made[CACHE].get_seq_length() == 4

    cache = RecurrentCache()
    pieces = [compiled(TOKENS[:, cut], cache=cache).logits for cut in (slice(2), slice(2, 4))]
    close(torch.cat(pieces, 1), model(TOKENS).logits)

    state = states.detach(model(TOKENS)[CACHE].state)
    with torch.no_grad():
        program = torch.export.export(model, (TOKENS,), {"cache": RecurrentCache(state, 4)})
        file = io.BytesIO()
        torch.export.save(program, file)
        file.seek(0)
        made = torch.export.load(file).module()(TOKENS, cache=RecurrentCache(state, 4))
        expected = model(TOKENS, cache=RecurrentCache(state, 4))
    close(made.logits, expected.logits)
    assert made[CACHE].get_seq_length() == 8
