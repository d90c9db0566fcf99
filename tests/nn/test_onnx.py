"""Layers as ONNX programs of any batch and time: what onnxruntime computes is what the layer computes."""

import warnings

import pytest
import torch
from registered import INPUT, small

from fastweights import nn

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


@pytest.mark.slow
@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("name", ["gru", "linear-attention", "deltanet", "fast-weights"])
def test_any_batch_and_time(name, tmp_path):
    """A cell of torch's own, attention, a memory that ONNX has no parallel form for, and an op: without a setting."""
    layer = nn.Output(small(name))
    shapes = {"x": {0: "batch", 1: "time"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own
        program = torch.onnx.export(
            layer, (torch.randn(2, 3, INPUT),), dynamic_shapes=shapes, verbose=False
        )
        assert program is not None
        program.save(tmp_path / "layer.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "layer.onnx")
    for batch, time in ((2, 3), (5, 9)):
        x = torch.randn(batch, time, INPUT)
        (found,) = session.run(None, {"x": x.numpy()})
        torch.testing.assert_close(torch.from_numpy(found), layer(x).detach())
