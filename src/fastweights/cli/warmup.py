"""`fastweights warmup`: compile ahead."""

from __future__ import annotations

from dataclasses import dataclass

from fastweights.cli.console import print_json


@dataclass(frozen=True)
class Warmup:
    """Compile the fused kernels now, so that no later run waits for them; they are kept on disk."""

    json: bool = False
    """Print the result as one JSON object."""

    def run(self) -> int:
        from fastweights.ops.warmup import warmup

        result = warmup()
        if self.json:
            print_json(result._asdict())
        else:
            print(
                f"kernels ready: {result.compile_seconds:.1f} s of compilation ({result.backend})"
            )
        return 0
