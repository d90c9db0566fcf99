"""Training: one engine and small batch sources, each with a loss."""

from fastweights.training.averaging import Averaging
from fastweights.training.batches import Stage
from fastweights.training.engine import fit
from fastweights.training.episodes import Episode, play
from fastweights.training.evaluate import evaluate
from fastweights.training.optimiser import Optimiser, Schedule
from fastweights.training.outcome import Diverged, Outcome
from fastweights.training.progress import NoProgress, Progress, TerminalProgress
from fastweights.training.rollout import Rollout
from fastweights.training.settings import Settings
from fastweights.training.source import Source
from fastweights.training.stream import Stream, evaluate_stream
from fastweights.training.supervised import Supervised
from fastweights.training.text_loss import evaluate_words, perplexity
from fastweights.training.words import Corpus, Words

__all__ = [
    "Averaging",
    "Corpus",
    "Diverged",
    "Episode",
    "NoProgress",
    "Optimiser",
    "Outcome",
    "Progress",
    "Rollout",
    "Schedule",
    "Settings",
    "Source",
    "Stage",
    "Stream",
    "Supervised",
    "TerminalProgress",
    "Words",
    "evaluate",
    "evaluate_stream",
    "evaluate_words",
    "fit",
    "perplexity",
    "play",
]
