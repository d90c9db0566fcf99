"""The model of `transformers` compiled in one graph, exported, and its cache saved."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from fastweights import state as states
from fastweights.hf import RecurrentCache
from fastweights.nn import DeltaNet


@pytest.mark.slow
def test_one_graph_compiled_and_exported():
    script = Path(__file__).with_name("compiled_model.py")
    environment = {**os.environ, "JAXTYPING_DISABLE": "1"}
    run = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False, env=environment
    )
    assert run.returncode == 0, run.stderr


def test_a_cache_is_saved_and_loaded_as_weights_are():
    cache, file = RecurrentCache(DeltaNet(3, 4).initial_state(2), 4), io.BytesIO()
    torch.save(cache, file)
    file.seek(0)
    again = torch.load(file)
    assert again.get_seq_length() == 4 and type(again.state) is type(cache.state)
    for one, other in zip(states.tensors(again.state), states.tensors(cache.state), strict=True):
        assert torch.equal(one, other)
