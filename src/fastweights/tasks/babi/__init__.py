"""The 20 tasks of bAbI v1.2: stories made by their rules, and a reader, told no task's number, that answers them."""

from __future__ import annotations

from fastweights.tasks.babi.solver import Answer, Reader, Sentence, solve, solve_all
from fastweights.tasks.babi.story import Story, split_of, story
from fastweights.tasks.babi.telling import Line

__all__ = [
    "Answer",
    "Line",
    "Reader",
    "Sentence",
    "Story",
    "solve",
    "solve_all",
    "split_of",
    "story",
]
