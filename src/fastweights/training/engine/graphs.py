"""Training steps as CUDA graphs: recorded once for each form of a batch, then started by one launch each.

A step of a small network is hundreds of kernels of a few microseconds, which Python starts more slowly than a device
runs them. A recorded step reads its batch from tensors that stay where they are, and leaves its results in others; in
between it does to the weights what the same kernels do without a graph, in the same order, dropout's numbers included.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor

from fastweights import state as states
from fastweights.errors import UserError

WARM_UPS = 3
"""Steps that a form of batch takes without a graph first: kernels are compiled in them, memory and states made."""
MOST = 16
"""Graphs at once; batches of still other forms take their steps without one."""

R = TypeVar("R")
Step = Callable[[Any], tuple[Mapping[str, Tensor], object]]
"""From a batch to a step's scalar readings and the state that the batch leaves behind."""


class Recorder(Protocol):
    """What records work of a device."""

    def run(self, work: Callable[[], R]) -> R:
        """Run the work, as it is to be run before it is recorded, and return its result."""
        ...

    def record(self, work: Callable[[], R]) -> tuple[Callable[[], None], R]:
        """Record the work without doing it; return what does it, and where its result then lies."""
        ...


class CudaRecorder:
    """Records on a CUDA device: on a stream of its own, into memory that all graphs share.

    Args:
        device: a CUDA device.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        with torch.cuda.device(device):
            self.stream, self.pool = torch.cuda.Stream(), torch.cuda.graph_pool_handle()
            self.generator = torch.cuda.default_generators[torch.cuda.current_device()]

    def run(self, work: Callable[[], R]) -> R:
        """Run the work on the stream of the recordings, between what is before and after on the current one."""
        with torch.cuda.device(self.device):
            current = torch.cuda.current_stream()
            self.stream.wait_stream(current)
            with torch.cuda.stream(self.stream):
                found = work()
            current.wait_stream(self.stream)
        return found

    def record(self, work: Callable[[], R]) -> tuple[Callable[[], None], R]:
        """Record the work as a graph.

        Raises:
            UserError: if it cannot be recorded.
        """
        with torch.cuda.device(self.device):
            graph = torch.cuda.CUDAGraph()
            # Every replay then goes on in the generator's numbers, and moves it as far as the work itself would.
            graph.register_generator_state(self.generator)
            try:
                with torch.cuda.graph(graph, pool=self.pool, stream=self.stream):
                    found = work()
            except RuntimeError as error:
                raise UserError(
                    "a training step of this model cannot be recorded as a CUDA graph; train without one"
                    f" ({str(error).splitlines()[0]})"
                ) from error
        return graph.replay, found


def replaying(work: Callable[[], object], device: torch.device | str) -> Callable[[], None]:
    """Return what does work as one CUDA graph; it is done `WARM_UPS` times first.

    Args:
        work: on a CUDA device, on tensors that stay where they are.
        device: which.

    Raises:
        UserError: if it cannot be recorded.
    """
    recorder = CudaRecorder(torch.device(device))
    for _ in range(WARM_UPS):
        recorder.run(work)
    replay, _ = recorder.record(work)
    return replay


class _Graph(NamedTuple):
    """A recorded step.

    Attributes:
        replay: takes it.
        batch: where it reads its batch.
        names: of the readings.
        readings, state: where it leaves its results.
    """

    replay: Callable[[], None]
    batch: Any
    names: list[str]
    readings: Tensor
    state: object


class GraphedSteps:
    """Runs training steps: the first ones of each form of batch as they are, later ones as graphs.

    Every call is exactly one step, whether it runs, or is recorded and replayed.

    Args:
        step: the whole of a step on a batch, the batch's tensors all that differs between calls.
        recorder: of the device.

    Example:
        >>> class Eager:  # its graphs are never asked for
        ...     def run(self, work):
        ...         return work()
        >>> weight, one = torch.zeros(()), torch.ones(())
        >>> steps = GraphedSteps(lambda batch: ({"loss": weight.add_(batch).clone()}, None), Eager())
        >>> [steps(one)[0]["loss"].item() for _ in range(WARM_UPS)]
        [1.0, 2.0, 3.0]
    """

    def __init__(self, step: Step, recorder: Recorder) -> None:
        self.step, self.recorder = step, recorder
        self.replays = 0
        self._graphs: dict[object, _Graph] = {}
        self._seen: dict[object, int] = {}
        self._version: object = None

    def __call__(self, batch: Any, version: object = None) -> tuple[Mapping[str, Tensor], object]:
        """Run a step.

        Args:
            batch: as of `BatchSource`.
            version: of what else a step depends on; where it is another one, all is recorded anew.

        Returns:
            the step's readings and the state that it leaves behind, in memory of their own.
        """
        if version != self._version:
            self._graphs, self._seen, self._version = {}, {}, version
        form = form_of(batch)
        graph = self._graphs.get(form)
        if graph is None:
            self._seen[form] = self._seen.get(form, 0) + 1
            if self._seen[form] <= WARM_UPS or len(self._graphs) >= MOST:
                return self._without(batch)
            graph = self._graphs[form] = self._record(batch)
        else:
            for place, tensor in zip(
                states.tensors(graph.batch), states.tensors(batch), strict=True
            ):
                place.copy_(tensor, non_blocking=True)
        graph.replay()
        self.replays += 1
        readings = graph.readings.clone().unbind()
        return dict(zip(graph.names, readings, strict=True)), states.map_tensors(
            Tensor.clone, graph.state
        )

    def _without(self, batch: Any) -> tuple[Mapping[str, Tensor], object]:
        with warnings.catch_warnings():
            # Torch advises against optimisers for graphs where a step is taken without one.
            warnings.filterwarnings("ignore", message=".*capturable=True", category=UserWarning)
            return self.recorder.run(lambda: self.step(batch))

    def _record(self, batch: Any) -> _Graph:
        place = states.map_tensors(Tensor.clone, batch)

        def work() -> tuple[list[str], Tensor, object]:
            readings, state = self.step(place)
            values = torch.stack([value.detach().double() for value in readings.values()])
            return list(readings), values, states.detach(state)

        replay, (names, readings, state) = self.recorder.record(work)
        return _Graph(replay, place, names, readings, state)


def form_of(batch: Any) -> object:
    """Return what batches of one graph have in common: structure, types, shapes, devices.

    Example:
        >>> form_of((torch.zeros(2, 3), None)) == form_of((torch.ones(2, 3), None))
        True
        >>> form_of((torch.zeros(2, 3), None)) == form_of((torch.zeros(2, 4), None))
        False
    """
    if isinstance(batch, Tensor):
        return batch.dtype, batch.device, *batch.shape
    return (type(batch), *map(form_of, batch)) if isinstance(batch, tuple) else batch
