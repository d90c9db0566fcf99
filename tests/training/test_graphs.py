"""Steps that are recorded and replayed are the steps without: on a tape in place of a device, and on a device."""

import pytest
import torch
import torch.nn.functional as F
from regression import Regression, Stop, network, recipe, timeless
from tape import TapeRecorder

from fastweights.errors import UserError
from fastweights.runs import Run
from fastweights.training import Averaging, BatchSource, Optimiser, Schedule, Settings, fit
from fastweights.training.engine import distributed, graphs

RATE = 2**-6
"""A number of float32, as every rate of a device is."""
OPTIMISERS = {
    "adam": Optimiser("adam", RATE),
    "adamw": Optimiser("adamw", RATE, weight_decay=0.125),
    "sgd": Optimiser("sgd", RATE, betas=(0.5, 0.999)),
}


class Batches(Regression, BatchSource):
    """The regression in two parts; `sizes` are those of its batches, in turn. It carries its last mean."""

    def __init__(self, sizes=(16,), **options):
        super().__init__(**options)
        self.sizes, self.carried = sizes, None

    def next_batch(self, model):
        self.step += 1
        return *self.batch(self.generator, self.sizes[self.step % len(self.sizes)]), self.carried

    def loss(self, model, batch):
        x, y, before = batch
        found = model(x)
        loss = F.mse_loss(found, y)
        if before is not None:
            loss = loss + (found.mean() - before[0]).square()
        return loss, {"bias": y.mean()}, (found.mean(),)

    next_loss = BatchSource.next_loss

    def carry(self, state):
        self.carried = tuple(part.detach() for part in state)

    def state(self):
        tensors, meta = super().state()
        return tensors | {str(n): part for n, part in enumerate(self.carried or ())}, meta

    def restore(self, tensors, meta):
        super().restore(tensors, meta)
        self.carried = (tensors["0"].clone(),) if "0" in tensors else None


def chosen(steps=20, **changes):
    return recipe(steps, **({"optimiser": OPTIMISERS["adam"], "schedule": Schedule(4)} | changes))


def both(tmp_path, source, settings_of):
    """Train without graphs and with them; return the weights and the rows of both."""
    found = []
    for graph in (False, True):
        model, run = network(), Run.create(tmp_path / str(graph), {})
        fit(model, source(), settings_of(graph=graph), run)
        found.append((model.state_dict(), timeless(run.metrics())))
    return found


def assert_same(without, with_graphs):
    assert with_graphs[1] == without[1]
    for name, tensor in without[0].items():
        assert torch.equal(with_graphs[0][name], tensor), name


@pytest.mark.parametrize("clip", [None, 0.25])
@pytest.mark.parametrize("name", OPTIMISERS)
def test_a_run_of_replays_is_the_run_without_to_the_bit(name, clip, tape, tmp_path):
    """Dropout, batch normalisation, a changing rate, a carried state."""
    found = both(
        tmp_path, Batches, lambda graph: chosen(optimiser=OPTIMISERS[name], clip=clip, graph=graph)
    )
    assert_same(*found)
    (recorder,) = tape
    # The first step has no state to begin with: a form of its own, met once.
    assert (recorder.runs, recorder.records, recorder.replays) == (1 + graphs.WARM_UPS, 1, 16)


def test_a_batch_of_another_shape_runs_without_until_it_has_come_often_enough(tape, tmp_path):
    # As an epoch's last batch, which is smaller.
    assert_same(
        *both(tmp_path, lambda: Batches((16, 16, 16, 7)), lambda graph: chosen(30, graph=graph))
    )
    (recorder,) = tape
    assert recorder.records == 2 and recorder.runs + recorder.replays == 30
    assert recorder.runs == 1 + 2 * graphs.WARM_UPS


def test_there_are_no_more_graphs_than_fit(tape, tmp_path, monkeypatch):
    monkeypatch.setattr(graphs, "MOST", 1)
    assert_same(*both(tmp_path, lambda: Batches((16, 7)), lambda graph: chosen(30, graph=graph)))
    (recorder,) = tape
    assert recorder.records == 1 and recorder.runs + recorder.replays == 30


class Plain:
    """A recorder whose replay is the work done again: for optimisers that look at numbers on the processor."""

    def __init__(self, device=None):
        self.records = 0

    def run(self, work):
        return work()

    def record(self, work):
        self.records += 1
        found, done = work(), [True]

        def replay():
            if done:
                done.clear()
                return
            _, readings, state = work()
            found[1].copy_(readings)
            found[2][0].copy_(state[0])

        return replay, found


def test_after_the_switch_to_averaging_all_is_recorded_anew(tape, tmp_path, monkeypatch):
    recorders = []
    monkeypatch.setattr(
        graphs, "CudaRecorder", lambda device: recorders.append(Plain()) or recorders[-1]
    )
    averaging = Averaging(RATE, start=10)
    assert_same(
        *both(tmp_path, Batches, lambda graph: chosen(24, averaging=averaging, graph=graph))
    )
    assert [recorder.records for recorder in recorders] == [2]


@pytest.mark.parametrize("begun", [True, False])
@pytest.mark.parametrize("stop", [2, 5, 13])
def test_a_run_resumed_with_or_without_graphs_is_the_run_that_was_not_stopped(
    stop, begun, tape, tmp_path
):
    whole, cut = (Run.create(tmp_path / name, {}) for name in ("whole", "cut"))
    expected, model = network(), network()
    fit(expected, Batches(), chosen(), whole)
    source = Batches()
    outcome = fit(network(), source, chosen(graph=begun), cut, stop=Stop(source, stop))
    assert outcome.interrupted and outcome.steps == stop
    fit(model, Batches(), chosen(graph=True), cut)
    assert_same(
        *((m.state_dict(), timeless(r.metrics())) for m, r in ((expected, whole), (model, cut)))
    )
    ours, theirs = cut.load_checkpoint().tensors, whole.load_checkpoint().tensors
    assert all(torch.equal(ours[name], tensor) for name, tensor in theirs.items())


def test_a_step_that_looks_at_a_number_cannot_be_recorded(tape, run):
    class Looking(Batches):
        def loss(self, model, batch):
            loss, metrics, state = super().loss(model, batch)
            return loss * (1 if loss > 0 else 2), metrics, state

    with pytest.raises(UserError, match="not to be recorded: _local_scalar_dense"):
        fit(network(), Looking(), chosen(graph=True), run)


def test_results_lie_in_memory_of_their_own(tape):
    total = torch.zeros(())
    steps = graphs.GraphedSteps(
        lambda batch: ({"total": total.add_(batch).clone()}, (batch * 2,)), TapeRecorder()
    )
    found = [steps(torch.tensor(float(number))) for number in range(8)]
    assert [readings["total"].item() for readings, _ in found] == [0, 1, 3, 6, 10, 15, 21, 28]
    assert [state[0].item() for _, state in found] == [0, 2, 4, 6, 8, 10, 12, 14]


def test_a_source_in_one_part_is_refused(tape, run):
    with pytest.raises(UserError, match="steps of Regression cannot be recorded"):
        fit(network(), Regression(), chosen(graph=True), run)


def test_graphs_are_of_cuda_devices():
    with pytest.raises(UserError, match="recorded on a CUDA device, not on cpu"):
        Settings(1, graph=True)


def test_graphs_are_for_one_process(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert Settings(1, device="cuda", graph=True).graph
    monkeypatch.setattr(distributed, "world", lambda: 2)
    with pytest.raises(UserError, match="for one process"):
        Settings(1, device="cuda", graph=True)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("sizes", [(16,), (16, 16, 7)])
@pytest.mark.parametrize("name", OPTIMISERS)
def test_on_a_device(name, sizes, tmp_path):
    class OnDevice(Batches):
        def batch(self, generator, count=16):
            return tuple(part.cuda() for part in super().batch(generator, count))

    assert_same(
        *both(
            tmp_path,
            lambda: OnDevice(sizes),
            lambda graph: chosen(40, optimiser=OPTIMISERS[name], device="cuda", graph=graph),
        )
    )
