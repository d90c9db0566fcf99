"""The run folder: config, metrics, checkpoints, resume, load."""

from fastweights.runs.beginning import begun
from fastweights.runs.checkpoint import Checkpoint
from fastweights.runs.load import load
from fastweights.runs.lock import Lock
from fastweights.runs.run import Run

__all__ = ["Checkpoint", "Lock", "Run", "begun", "load"]
