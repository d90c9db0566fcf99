"""Where work is done: here, in processes, or by workers on other machines, by way of a Dask scheduler.

A worker that dies loses no finished work: the scheduler hands its call to another, which goes on with the run where the
folder of the runs is shared, and else begins it anew.
"""

from __future__ import annotations

import importlib
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from contextvars import ContextVar
from typing import Any

from fastweights.errors import UserError
from fastweights.experiments.processes import Done, Pool, Work, here, processes

SLURM = "slurm"
PATIENCE = 30.0
"""Seconds that a scheduler has to answer, and workers that were asked to stop to save what they have."""
POLL_SECONDS = 1.0

_asked: ContextVar[Callable[[], bool]] = ContextVar("asked", default=lambda: False)


def stopped() -> bool:
    """Return whether the call that this is in was asked to stop; its run is then saved, to go on with later."""
    return _asked.get()()


def pool(
    jobs: int, function: Callable[[Work], Done], cluster: str | None = None
) -> AbstractContextManager[Pool[Work, Done]]:
    """Return what calls a function: here where that is enough, in processes, or by the workers of a cluster.

    Args:
        jobs: how many calls side by side; of a cluster, how many workers to ask for.
        function: of a module, called with one value.
        cluster: the address of a Dask scheduler, "slurm", or None.

    Raises:
        UserError: if the cluster cannot be reached, or a library is missing.
    """
    if cluster is not None:
        return workers(cluster, jobs, function)
    return here(function) if jobs == 1 else processes(jobs, function)


@contextmanager
def workers(
    address: str, count: int, function: Callable[[Work], Done]
) -> Iterator[Pool[Work, Done]]:
    """Call a function by the workers of a cluster; when the block is left early they save what they are at, and stop.

    Args:
        address: of a Dask scheduler, tcp://HOST:PORT; or "slurm", where Dask is to ask SLURM for workers, as its own
            configuration says.
        count: workers to ask SLURM for.
        function: of a module, called with one value.

    Raises:
        UserError: if nothing answers there, or a library is missing.
    """
    distributed = _library("distributed", "cluster")
    with ExitStack() as stack:
        target: Any = address
        if address == SLURM:
            target = stack.enter_context(_library("dask_jobqueue", "cluster").SLURMCluster())
            target.scale(jobs=count)
        try:
            client = stack.enter_context(distributed.Client(target, timeout=PATIENCE))
        except (OSError, ValueError) as error:
            raise UserError(f"no scheduler of Dask answers at {address}: {error}") from None
        stop = distributed.Event(f"fastweights-{uuid.uuid4().hex}", client=client)
        executor = client.get_executor(pure=False)
        running: set[Future[Done]] = set()

        def submit(work: Work) -> Future[Done]:
            future = executor.submit(_call, function, work, stop.name)
            running.add(future)
            future.add_done_callback(running.discard)
            return future

        try:
            yield Pool(submit, lambda: max(count, sum(client.nthreads().values())))
        except BaseException:
            stop.set()
            with suppress(Exception):
                wait([*running], timeout=PATIENCE)
            raise


def _call(function: Callable[[Work], Done], work: Work, event: str) -> Done:
    """Call a function in a worker, which hears when it is to stop."""
    import distributed
    import torch

    torch.set_num_threads(max(1, distributed.get_worker().state.nthreads))
    heard, done = threading.Event(), threading.Event()
    asked = distributed.Event(event, client=distributed.get_client())

    def listen() -> None:
        while not done.is_set():
            with suppress(Exception):  # a scheduler that is gone asks for nothing
                if asked.is_set():
                    heard.set()
                    return
            time.sleep(POLL_SECONDS)

    threading.Thread(target=listen, daemon=True).start()
    token = _asked.set(heard.is_set)
    try:
        return function(work)
    finally:
        _asked.reset(token)
        done.set()


def _library(name: str, extra: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise UserError(
            f'--cluster needs {name.replace("_", "-")}: pip install "fastweights[{extra}]"'
        ) from None
