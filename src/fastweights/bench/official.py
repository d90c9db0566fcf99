"""The authors' own program for catbAbI, from a checkout of theirs, to be timed and compared beside ours.

Nothing of it is copied: it is imported from the folder given, and what one of its parts does alone is seen by putting
stand-ins in the place of its neighbours.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from fastweights.errors import UserError

PAD, QUESTION = 0, 1


class Memory(nn.Module):
    """Its memory alone: what it writes and reads is given instead of computed by its projections."""

    def __init__(self, program: ModuleType, size: int, reads: int) -> None:
        super().__init__()
        written = 3 * size + 1
        self.model = program.Model(_parameters(180, size, size, reads, residual=False))
        cell = self.model.rnn.cells[0]
        cell.lstm = _PassThrough()
        cell.W_write = _Part(slice(0, written))
        cell.W_read = _Part(slice(written, None))
        cell.linear = nn.Identity()

    def forward(
        self,
        written: Float[Tensor, "batch time written"],
        asked: Float[Tensor, "batch time asked"],
        memory: Float[Tensor, "batch k1 k2 value"] | None = None,
    ) -> tuple[Float[Tensor, "batch time value"], Float[Tensor, "batch k1 k2 value"]]:
        """Return what is retrieved at every step, and the memory after the last."""
        batch, time, _ = written.shape
        everywhere = torch.ones(batch, time, dtype=torch.bool)
        lengths = torch.full((batch,), time)
        x = torch.cat((written, asked), -1)
        unused = torch.zeros(batch, 1)
        before = None if memory is None else [((unused, unused), memory)]
        y, after = self.model.rnn(x, lengths, everywhere, ~everywhere, before)
        return y, after[0][1]


class Network(nn.Module):
    """All of it, from token ids to logits, read at every step."""

    def __init__(
        self,
        program: ModuleType,
        vocabulary: int,
        hidden: int,
        size: int,
        reads: int,
        residual: bool = False,
    ) -> None:
        super().__init__()
        self.model = program.Model(_parameters(vocabulary, hidden, size, reads, residual=residual))

    def forward(
        self, tokens: Int[Tensor, "batch time"], state: tuple[object, ...] | None = None
    ) -> tuple[Float[Tensor, "batch time vocabulary"], tuple[object, ...]]:
        """Return the logits and the state after the last step; no token is padding."""
        lengths = torch.full((len(tokens),), tokens.shape[1])
        before = None if state is None else list(state)
        logits, _, after = self.model(tokens, lengths, before)
        return logits, tuple(after)


def program(folder: Path) -> AbstractContextManager[ModuleType]:
    """Import its network's module from a checkout of `ischlag/Fast-Weight-Memory-public`, and forget it afterwards.

    Raises:
        UserError: if the folder is none, or the module does not import.
    """
    return imported(folder, "catbAbI", "models.lm_fwm", owned=("models", "utils"))


@contextmanager
def imported(
    folder: Path, part: str, module: str, *, owned: tuple[str, ...]
) -> Iterator[ModuleType]:
    """Import a module of one part of a checkout, and forget it and its neighbours afterwards.

    Args:
        folder: the checkout.
        part: the folder in it that the module is imported from.
        module: its name.
        owned: top-level modules of that part, which would shadow others of the same name.

    Raises:
        UserError: if it is not there, or does not import.
    """
    root = folder / part
    file = Path(*module.split(".")).with_suffix(".py")
    if not (root / file).is_file():
        raise UserError(f"{folder} is no checkout of the authors' code: it has no {part}/{file}")

    def theirs() -> list[str]:
        return [name for name in sys.modules if name.split(".")[0] in owned]

    shadowed = {name: sys.modules.pop(name) for name in theirs()}
    sys.path.insert(0, str(root))
    try:
        yield importlib.import_module(module)
    except ImportError as error:
        raise UserError(f"the authors' code in {folder} does not import: {error}") from error
    finally:
        sys.path.remove(str(root))
        for name in theirs():
            del sys.modules[name]
        sys.modules.update(shadowed)


def _parameters(
    vocabulary: int, hidden: int, size: int, reads: int, *, residual: bool
) -> SimpleNamespace:
    return SimpleNamespace(
        vocab_size=vocabulary,
        embedding_size=hidden,
        hidden_size=hidden,
        s_size=size,
        r_size=size,
        t_size=size,
        n_reads=reads,
        residual=residual,
        ra_mode=False,
        QM=QUESTION,
        PAD=-1 - PAD,  # no token is padding
    )


class _PassThrough(nn.Module):
    """In the place of its LSTM."""

    def get_initial_state(self, batch: int, device: torch.device) -> tuple[Tensor, Tensor]:
        return torch.zeros(batch, 1), torch.zeros(batch, 1)

    def forward(self, x: Tensor, state: object) -> tuple[Tensor, object]:
        return x, state


class _Part(nn.Module):
    """In the place of a projection: some of the features, as they are."""

    def __init__(self, features: slice) -> None:
        super().__init__()
        self.features = features

    def forward(self, x: Tensor) -> Tensor:
        return x[:, self.features]
