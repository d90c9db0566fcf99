"""`fastweights warmup`: compile ahead."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

from fastweights.cli.console import print_json
from fastweights.errors import UserError


@dataclass(frozen=True)
class Warmup:
    """Compile the fused kernels now, so that no later run waits for them; they are kept on disk."""

    device: Literal["cpu", "cuda"] = "cpu"
    """The kernels of which device."""
    capability: int | None = None
    """Of --device cuda: the compute capability to compile for, 90 for an H100; none: that of the device here."""
    json: bool = False
    """Print the result as one JSON object."""

    def run(self) -> int:
        if self.device == "cuda":
            return self._compile_for_cuda()
        if self.capability is not None:
            raise UserError("--capability is of --device cuda")
        from fastweights.ops.warmup import warmup

        result = warmup(os.cpu_count() or 1)
        if self.json:
            print_json(result._asdict())
        else:
            print(
                f"kernels ready in {result.seconds:.1f} s: {result.compile_seconds:.1f} s of compilation "
                f"({result.backend})"
            )
        return 0

    def _compile_for_cuda(self) -> int:
        from fastweights.ops.cuda_kernels import warmup

        result = warmup(self.capability)
        if self.json:
            print_json(result._asdict())
        else:
            print(
                f"{result.kernels} kernels ready for compute capability {result.capability}: {result.seconds:.1f} s, "
                f"{result.spilling} of them spill registers"
            )
        return 0
