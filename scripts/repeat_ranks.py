"""Repeat small training runs of several processes with each end there is, and count the exit codes that are wrong.

    python scripts/repeat_ranks.py 50 --ranks 2 4 --json > results/reliability/ranks.jsonl

So many runs of each number of ranks and each end: success; a batch that cannot be shared; Ctrl-C for all; one rank
killed. The ranks are forks of this process, which has loaded the library but neither joined a group nor trained; each
ends with its interpreter, as one that torchrun starts does. Exit code 1 if any run ended wrong.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # as torchrun has it, and read when torch loads

import proof

from fastweights.cli import app, main
from fastweights.experiments import registry

SMALL = ["train", "retrieval", "--hidden", "4", "--backend", "reference", "--steps"]
ENDLESS = [*SMALL, "1000000", "--batch", "8"]
WORDS = {
    "success": [*SMALL, "2", "--batch", "8"],
    "refusal": [*SMALL, "2", "--batch", "9"],
    "ctrl-c": ENDLESS,
    "killed": ENDLESS,
}
CODES = {"success": 0, "refusal": 2, "ctrl-c": app.INTERRUPTED, "killed": 2}
"""The right exit code of each rank, but for the one that is killed."""

PATIENCE = 120.0
"""Seconds after which a run counts as hung."""


def start(rank: int, port: int, ranks: int, words: list[str], log: Path) -> int:
    """Fork one rank and return its process id."""
    process = os.fork()
    if process:
        return process
    become(rank, port, ranks)
    said = os.open(log, os.O_WRONLY | os.O_CREAT)
    os.dup2(said, 1)
    os.dup2(said, 2)
    sys.exit(main(words))


def become(rank: int, port: int, ranks: int) -> None:
    """Make this process a rank, as torchrun does; each has files of its own to speak into, so none waits to."""
    names = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": ranks, "LOCAL_WORLD_SIZE": ranks}
    os.environ |= {name: str(value) for name, value in names.items()}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    app.OTHERS_WAIT = 0.0


def free_port() -> int:
    """Return the number of a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def await_training(folder: Path, ends: float) -> None:
    """Wait until a run has logged its evaluation before the first step, then for a moment."""
    rows = folder / "metrics.jsonl"
    while not (rows.exists() and rows.stat().st_size) and time.monotonic() < ends:
        time.sleep(0.02)
    time.sleep(random.random() / 2)


def exit_code(process: int, ends: float) -> int | None:
    """Return how a process ended; None if it had to be killed because it hung."""
    while time.monotonic() < ends:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return None


def one_run(end: str, ranks: int, place: Path) -> tuple[list[int | None], list[int | None]]:
    """Return the exit codes of one run's ranks, and what is right."""
    port = free_port()
    folder, ends = place / "run", time.monotonic() + PATIENCE
    words = [*WORDS[end], "--out", str(folder)]
    logs = [place / f"rank-{rank}.txt" for rank in range(ranks)]
    processes = [start(rank, port, ranks, words, log) for rank, log in enumerate(logs)]
    right: list[int | None] = [CODES[end]] * ranks
    if end in ("ctrl-c", "killed"):
        await_training(folder, ends)
    if end == "ctrl-c":
        for process in processes:
            os.kill(process, signal.SIGINT)
    if end == "killed":
        killed = random.randrange(ranks)
        os.kill(processes[killed], signal.SIGKILL)
        right[killed] = -signal.SIGKILL
    codes = [exit_code(process, ends) for process in processes]
    if codes != right:
        print(f"{end}, {ranks} ranks: {codes}, not {right}", file=sys.stderr)
        for log in logs:
            print(log.read_text()[-2000:], file=sys.stderr)
    return codes, right


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Repeat runs of several ranks, however they end.")
    parser.add_argument("runs", type=int, help="of each number of ranks and each end")
    parser.add_argument("--ranks", type=int, nargs="+", default=[2, 4], help="how many processes")
    parser.add_argument("--ends", nargs="+", choices=WORDS, default=list(WORDS), help="which")
    parser.add_argument("--json", action="store_true", help="print a JSON row a line")
    return parser.parse_args()


def all_right() -> bool:
    options, wrong = parsed(), 0
    registry.get("retrieval")  # loads what a command would
    for ranks in options.ranks:
        for end in options.ends:
            bad = 0
            for _ in range(options.runs):
                with tempfile.TemporaryDirectory() as place:
                    codes, right = one_run(end, ranks, Path(place))
                bad += codes != right
            row = {"end": end, "ranks": ranks, "runs": options.runs, "wrong": bad}
            line = f"{end}, {ranks} ranks: {bad} of {options.runs} runs ended wrong"
            proof.report(row, line, as_json=options.json)
            wrong += bad
    return wrong == 0


if __name__ == "__main__":
    sys.exit(0 if all_right() else 1)
