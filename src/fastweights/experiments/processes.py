"""Where work is done: in this process or in several side by side, of which none outlives it, however that ends."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from types import FrameType
from typing import Any, Generic, NoReturn, TypeVar

from fastweights.io.stopping import INTERRUPTED

WAIT_SECONDS = 0.5
"""For processes that were stopped together with this one to say so."""

QUIET = "ignore::UserWarning:multiprocessing.resource_tracker"
"""Python's tracker of semaphores, a process of its own, warns on our terminal of what one stopped at once left."""


Work = TypeVar("Work")
Done = TypeVar("Done")


class Pool(Generic[Work, Done]):
    """Where a function is called.

    Attributes:
        submit: begins a call.
        width: how many calls there is room for at once, by now.
    """

    def __init__(self, submit: Callable[[Work], Future[Done]], width: Callable[[], int]) -> None:
        self.submit, self.width = submit, width


@contextmanager
def here(function: Callable[[Work], Done]) -> Iterator[Pool[Work, Done]]:
    """Call a function in this process, one call after the other."""

    def submit(work: Work) -> Future[Done]:
        future: Future[Done] = Future()
        future.set_result(function(work))
        return future

    yield Pool(submit, lambda: 1)


@contextmanager
def processes(count: int, function: Callable[[Work], Done]) -> Iterator[Pool[Work, Done]]:
    """Call a function in processes of one thread each.

    Ctrl-C, and SIGTERM, by which schedulers stop a process, end them with the block. Where this process is killed
    outright they stop by themselves.
    """
    # Fresh interpreters: a fork would share torch's and Numba's thread pools with the parent.
    context = multiprocessing.get_context("spawn")
    sys.warnoptions.append(QUIET)  # the tracker, which the pool's queues start, is given these
    try:
        executor = ProcessPoolExecutor(count, mp_context=context, initializer=_begin)
    finally:
        sys.warnoptions.remove(QUIET)
    calls: set[Future[Done]] = set()

    def submit(work: Work) -> Future[Done]:
        calls.add(future := executor.submit(_call, function, work))
        return future

    with executor, _terminated_is_interrupted():
        try:
            yield Pool(submit, lambda: count)
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)
            _stop(calls)
            raise


@contextmanager
def _terminated_is_interrupted() -> Iterator[None]:
    def interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _stop(calls: Iterable[Future[Any]]) -> None:
    """Stop the processes at work: a terminal's Ctrl-C has reached them too, one meant for this process alone not."""
    if wait(calls, timeout=WAIT_SECONDS).not_done:
        for process in multiprocessing.active_children():
            if process.pid is not None:
                # Not SIGINT: a shell that begins a command in the background has it ignored.
                os.kill(process.pid, signal.SIGTERM)


def _begin() -> None:
    import torch

    torch.set_num_threads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process once the one that began it has ended: it would train on, or wait for work for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "this is a process of a pool"
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


def _call(function: Callable[[Work], Done], work: Work) -> Done:
    """Call a function, and do not go back to a pool that is gone."""
    try:
        return function(work)
    finally:
        parent = multiprocessing.parent_process()
        if parent is not None and not parent.is_alive():
            os._exit(INTERRUPTED)
