"""What kernels need of a device, from the compiler alone: registers, spilled bytes, shared memory.

The compiler gives up silently where too many tiles are alive at once: 32 registers and tens of KiB of spills. So every
kernel's figures are kept in a table (`results/gpu/compiled.json`), and tests read them.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from fastweights.io.atomic import write_atomically
from fastweights.kernels.triton.launch import Launch

SHARED_LIMIT = 99 * 1024
"""Bytes of shared memory that a program may have on every supported device (sm_86, sm_89)."""
ALIGNED = 16
"""Bytes to whose multiple torch aligns tensors."""

_POINTERS = {
    torch.float32: "*fp32",
    torch.float64: "*fp64",
    torch.bool: "*i1",
    torch.int32: "*i32",
    torch.int64: "*i64",
}


class Figures(NamedTuple):
    """What one kernel needs.

    Attributes:
        registers: of a thread, at most 255.
        spilled: bytes that a thread stores to memory, and loads, for want of registers.
        shared: bytes of shared memory of a program.
    """

    registers: int
    spilled: int
    shared: int


def compile_ahead(launch: Launch, capability: int) -> Figures:
    """Compile a launch for a device that need not be there; the machine code stays in Triton's cache.

    Args:
        launch: as `launch.recording` wrote it down.
        capability: of the device, such as 90.

    Raises:
        triton.CompilationError: if it does not compile.
    """
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    names = launch.kernel.arg_names
    signature: dict[str, str] = {}
    aligned: dict[tuple[int], list[list[Any]]] = {}
    for position, (name, given) in enumerate(zip(names, launch.arguments, strict=False)):
        if isinstance(given, Tensor):
            signature[name] = _POINTERS[given.dtype]
            aligned[position,] = [["tt.divisibility", ALIGNED]]
        else:
            signature[name] = "i32"
    source = ASTSource(
        fn=launch.kernel,
        signature={name: signature.get(name, "constexpr") for name in names},
        constexprs=launch.constants,
        attrs=aligned,
    )
    compiled = triton.compile(
        source,
        target=GPUTarget("cuda", capability, 32),
        options={"num_warps": launch.warps, "num_stages": launch.stages},
    )
    registers, stack = _usage(compiled.asm["cubin"])
    # What is spilled lies on the stack: without one the slow second look is not needed.
    spilled = _spilled(compiled.asm["ptx"], capability) if stack else 0
    return Figures(registers, spilled, compiled.metadata.shared)


def _usage(code: bytes) -> tuple[int, int]:
    """Registers, and bytes of stack."""
    from triton import knobs

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "kernel.cubin")
        write_atomically(file, code)
        shown = _output(knobs.nvidia.cuobjdump.path, "--dump-resource-usage", str(file))
    registers, stack = re.findall(r"REG:(\d+) STACK:(\d+)", shown)[0]
    return int(registers), int(stack)


def _spilled(assembly: str, capability: int) -> int:
    from triton.backends.nvidia.compiler import get_ptxas

    target = re.findall(r"^\.target (\w+)", assembly, re.MULTILINE)[0]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "kernel.ptx")
        write_atomically(file, assembly.encode())
        out = str(Path(folder, "out"))
        shown = _output(
            get_ptxas(capability).path, "-v", f"--gpu-name={target}", str(file), "-o", out
        )
    return sum(int(found) for found in re.findall(r"(\d+) bytes spill", shown))


def _output(*words: str) -> str:
    ran = subprocess.run(words, capture_output=True, text=True, check=True)
    return ran.stdout + ran.stderr
