"""The gated delta rule and Kimi's delta attention inside models of `transformers`, run by the library's kernels.

Models such as Qwen3-Next, Qwen3.5, OLMo-hybrid and Kimi Linear call these by functions of their modules, which without
a GPU are plain PyTorch. `accelerate` puts functions of the same arguments in their place.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial, update_wrapper
from types import ModuleType, TracebackType
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from fastweights import ops
from fastweights.errors import UserError
from fastweights.nn.parts.heads import heads_a_key
from fastweights.ops.types import at_least_float32, without_autocast

NAMES = (
    "torch_chunk_gated_delta_rule",
    "torch_recurrent_gated_delta_rule",
    "chunk_kimi_delta_attention",
    "recurrent_kimi_delta_attention",
)
"""What models call the functions."""
ARGUMENTS = (
    *("query", "key", "value", "g", "beta"),
    *("initial_state", "output_final_state", "use_qk_l2norm_in_kernel"),
)
"""Arguments that such a function must have."""
CUTS = ("cu_seqlens", "cu_seq_lens_q", "seq_idx")
"""Arguments of packed sequences, which are left to the model's own function."""
UNIT_EPS = 1e-6


@dataclass
class Accelerated:
    """What `accelerate` replaced; as a context manager it restores it at the end.

    Attributes:
        replaced: names of the functions, each with its module.
    """

    replaced: tuple[str, ...]
    _originals: list[tuple[ModuleType, str, Callable[..., Any]]] = field(repr=False)

    def restore(self) -> None:
        """Put the models' own functions back."""
        for module, name, original in self._originals:
            setattr(module, name, original)
        self._originals.clear()

    def __enter__(self) -> Accelerated:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.restore()


def accelerate(model: nn.Module) -> Accelerated:
    """Run the gated delta rule of a model by the library's kernels: training, prefill and decoding, on the CPU.

    The functions are those of the model's classes, so all models of these classes in the process change with it.
    Results and gradients are the same but for rounding: both compute in float32. Calls on another device, and those
    with packed sequences, still run the model's own functions.

    Args:
        model: of `transformers`, 5.10 to 5.24, or one that holds such models.

    Returns:
        What was replaced (nothing, if it was before), with `restore()`.

    Raises:
        UserError: for a model without such layers, one that is not on the CPU, or one whose functions take other
            arguments.

    Source: Yang, Kautz & Hatamizadeh, "Gated Delta Networks", ICLR 2025; Kimi Team, "Kimi Linear", 2025.

    Example:
        >>> import torch
        >>> from transformers import Qwen3NextConfig, Qwen3NextModel
        >>> config = Qwen3NextConfig(
        ...     vocab_size=10, hidden_size=16, num_hidden_layers=1, layer_types=["linear_attention"],
        ...     linear_num_key_heads=1, linear_num_value_heads=2, linear_key_head_dim=8,
        ...     linear_value_head_dim=8, num_experts=0, intermediate_size=16, mlp_only_layers=[0],
        ... )
        >>> model = Qwen3NextModel(config).eval()
        >>> tokens = torch.tensor([[1, 2, 3, 4]])
        >>> before = model(tokens, use_cache=False).last_hidden_state
        >>> with accelerate(model) as changed:
        ...     after = model(tokens, use_cache=False).last_hidden_state
        >>> torch.allclose(before, after, atol=1e-5), [name.split(".")[-1] for name in changed.replaced]
        (True, ['torch_chunk_gated_delta_rule', 'torch_recurrent_gated_delta_rule'])
    """
    modules = {type(part).__module__ for part in model.modules()}
    found = [
        (sys.modules[module], name)
        for module in sorted(modules)
        for name in NAMES
        if hasattr(sys.modules.get(module), name)
    ]
    if not found:
        raise UserError(
            f"{type(model).__name__} has no layer of the gated delta rule or of Kimi's delta attention: there is"
            " nothing to accelerate"
        )
    devices = {str(weight.device) for weight in model.parameters()} - {"cpu", "meta"}
    if devices:
        raise UserError(
            f"the model is on {', '.join(sorted(devices))}, and the kernels run on the CPU; there, install"
            " flash-linear-attention"
        )
    originals = [
        (module, name, getattr(module, name))
        for module, name in found
        if not isinstance(getattr(module, name), _Replacement)
    ]
    for module, name, original in originals:
        _check_arguments(module, name, original)
    for module, name, original in originals:
        setattr(module, name, _Replacement(original))
    return Accelerated(tuple(f"{m.__name__}.{name}" for m, name, _ in originals), originals)


def _check_arguments(module: ModuleType, name: str, original: Callable[..., Any]) -> None:
    missing = [each for each in ARGUMENTS if each not in inspect.signature(original).parameters]
    if missing:
        from transformers import __version__

        raise UserError(
            f"{module.__name__}.{name} of transformers {__version__} has no argument {missing[0]}; supported are"
            " transformers 5.10 to 5.24"
        )


class _Replacement:
    """A function in the place of a model's own, which it calls where the kernels do not serve."""

    def __init__(self, original: Callable[..., Any]) -> None:
        self.original = original
        update_wrapper(self, original)
        self._bind = partial(_bound, tuple(inspect.signature(original).parameters))

    def __call__(self, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor | None]:
        given = self._bind(args, kwargs)
        packed = any(given.get(name) is not None for name in CUTS)
        if packed or given["query"].device.type != "cpu":
            return self.original(*args, **kwargs)
        wanted = {name: given[name] for name in ARGUMENTS if name in given}
        return gated_delta_rule(**wanted)


def _bound(names: tuple[str, ...], args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    return dict(zip(names, args, strict=False)) | kwargs


def gated_delta_rule(
    query: Float[Tensor, "batch time key_heads key"],
    key: Float[Tensor, "batch time key_heads key"],
    value: Float[Tensor, "batch time heads value"],
    g: Float[Tensor, "batch time heads *key"],
    beta: Float[Tensor, "batch time heads"],
    initial_state: Float[Tensor, "batch heads key value"] | None = None,
    output_final_state: bool = False,
    use_qk_l2norm_in_kernel: bool = False,
    backend: str = "auto",
) -> tuple[Float[Tensor, "batch time heads value"], Float[Tensor, "batch heads key value"] | None]:
    """Run the gated delta rule in the layout of `transformers` and flash-linear-attention.

        F(t) = diag(e^g) F(t-1) + k (β (v − (diag(e^g) F(t-1))ᵀ k))ᵀ          o = F(t)ᵀ q / √key

    Args:
        query, key: of as many heads as the values, or of fewer, each for as many consecutive heads of values.
        value: what is written.
        g: log of the decay, one a step or one for each feature of the key (Kimi's).
        beta: strength of a write.
        initial_state: F before the first step; None: zeros.
        output_final_state: whether F after the last step is returned.
        use_qk_l2norm_in_kernel: scale queries and keys to norm 1.
        backend: of `ops.delta_memory`.

    Returns:
        o, in the type of the query; and F, or None.

    Raises:
        UserError: for arguments that do not fit each other, and heads of keys that do not divide those of values.

    Example:
        >>> import torch
        >>> k = torch.eye(2).view(1, 2, 1, 2)
        >>> o, F = gated_delta_rule(k, k, k, torch.zeros(1, 2, 1), torch.ones(1, 2, 1), output_final_state=True)
        >>> torch.allclose(o * 2**0.5, k), torch.equal(F[0, 0], torch.eye(2))
        (True, True)
    """
    kind = at_least_float32(query.dtype)
    with without_autocast(query.device):
        given = [x if x.dtype == kind else x.to(kind) for x in (query, key, value, g, beta)]
        q, k, v, decay, strength = [x.transpose(1, 2) for x in given]
        if k.shape[1] != v.shape[1]:
            shared = heads_a_key(v.shape[1], k.shape[1])
            q, k = (x.repeat_interleave(shared, 1) for x in (q, k))
        start = initial_state
        if start is not None and start.dtype != kind:
            start = start.to(kind)
        retrieved, memory = ops.delta_memory(
            (k,),
            v,
            strength,
            queries=(q,),
            memory=start,
            gate=decay.exp(),
            read_norm=False,
            unit_eps=UNIT_EPS if use_qk_l2norm_in_kernel else None,
            query_scale=query.shape[-1] ** -0.5,
            backend=backend,
        )
    assert retrieved is not None
    out = retrieved.transpose(1, 2)
    out = out if query.dtype == kind else out.to(query.dtype)
    return out, memory if output_final_state else None
