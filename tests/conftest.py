"""What all tests share: one thread, fixed seeds, the hypothesis profiles, the backends, small data sets."""

import os

import hypothesis
import jaxtyping
import pytest
import torch

from babi_made import make_release
from fastweights.data import mnist
from fastweights.kernels import memory
from fastweights.ops.delta_memory import clamp_autograd
from fastweights.ops.delta_memory.clamp import sweep
from fastweights.tasks import CatBAbI
from mnist_made import digests, make_mnist
from text_made import make_text
from ways import WAYS, way_to_run

collect_ignore_glob = ["*conftest.py"]
"""These hold no doctests, and as modules to look for some in they would all have one name."""

hypothesis.settings.register_profile("quick", deadline=None, max_examples=10)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=300)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))
torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def _seeds_of_no_device():
    """Keep no seeds for devices that are not there: each would wait for one, with the stack it came from."""
    with pytest.MonkeyPatch.context() as patch:
        for device in (torch.cuda, torch.mtia, torch.xpu):
            if not device.is_available():
                patch.setattr(device, "manual_seed_all", lambda seed: None)
        yield


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)
    torch.set_num_threads(1)  # whatever threads a test before has left


@pytest.fixture
def poison(monkeypatch):
    """Uninitialised memory holds NaN, or the largest integer: what is read before it is written shows in the result.

    PyTorch's own switch fills what its `empty`, `empty_like`, `empty_strided` and `new_empty` return. The kernels'
    buffers come used from earlier calls, which it cannot know. Yields the sizes of those that were filled.
    """
    take, sizes = memory.take, []

    def take_poisoned(size, like):
        sizes.append(size)
        return take(size, like).fill_(float("nan"))

    monkeypatch.setattr(memory, "take", take_poisoned)
    torch.use_deterministic_algorithms(True)
    yield sizes
    torch.use_deterministic_algorithms(False)


@pytest.fixture(autouse=True)
def _poison_what_computes(request):
    """Every test of ops and kernels runs poisoned."""
    if request.path.parent.name in ("ops", "kernels", "interpreted"):
        request.getfixturevalue("poison")


@pytest.fixture
def unsynced(monkeypatch):
    """Nothing is written through to the disk: no test outlives a power cut, and some write dozens of checkpoints."""
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)


@pytest.fixture
def unchecked():
    """Run-time shape checks off: the library's own messages are what a user sees."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(scope="session")
def own_cache(tmp_path_factory):
    """A cache folder of the tests' own, and no data but what they make."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def release(tmp_path_factory, own_cache):
    """A small release of bAbI's form, with stories made here."""
    return make_release(tmp_path_factory.mktemp("data"), stories=8)


@pytest.fixture(scope="session")
def catbabi(release):
    return CatBAbI(release)


@pytest.fixture(scope="session")
def mnist_files(tmp_path_factory):
    """A small set of MNIST's form, made here, whose files are taken for the published ones."""
    folder = make_mnist(tmp_path_factory.mktemp("data") / "mnist")
    with pytest.MonkeyPatch.context() as patch:
        for name, digest in digests(folder).items():
            patch.setitem(mnist.MNIST.digests, name, digest)
        yield folder


@pytest.fixture(scope="session")
def text_files(tmp_path_factory):
    """A small text in three files, with sentences made here."""
    return make_text(tmp_path_factory.mktemp("data") / "text")


@pytest.fixture(params=WAYS["fast_weight_rnn"], scope="session")
def backends(request):
    """Each way to run the fast-weights recurrence here, as the arguments that ask for it."""
    return way_to_run("fast_weight_rnn", request.param)


@pytest.fixture(params=WAYS["lstm"], scope="session")
def lstm_ways(request):
    """Each way to run the LSTM's recurrence here, as the arguments that ask for it."""
    return way_to_run("lstm", request.param)


@pytest.fixture(params=WAYS["delta_memory"], scope="session")
def memory_ways(request):
    """Each way to run the memories here, as the arguments that ask for it."""
    way = way_to_run("delta_memory", request.param)
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "chunked-sweeps":  # as on an accelerator
            patch.setattr(clamp_autograd, "recursion_for", lambda device: sweep)
        yield way
