"""Training: one engine and small batch sources, each with a loss."""

from fastweights.tasks.score import perplexity
from fastweights.training.engine.averaging import Averaging
from fastweights.training.engine.fit import fit
from fastweights.training.engine.optimiser import Optimiser, Schedule
from fastweights.training.engine.outcome import Diverged, Outcome
from fastweights.training.engine.progress import NoProgress, Progress, TerminalProgress
from fastweights.training.engine.settings import Settings
from fastweights.training.engine.source import BatchSource, Source
from fastweights.training.sources.answers import Answers, score
from fastweights.training.sources.batches import Stage
from fastweights.training.sources.episodes import Episode, play
from fastweights.training.sources.language import Corpus, Words
from fastweights.training.sources.rollout import Rollout
from fastweights.training.sources.stream import Stream, evaluate_stream
from fastweights.training.sources.supervised import Supervised, evaluate
from fastweights.training.sources.text_loss import evaluate_words

__all__ = [
    "Answers",
    "Averaging",
    "BatchSource",
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
    "score",
]
