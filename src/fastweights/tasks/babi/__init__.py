"""The 20 tasks of bAbI v1.2: a reader that is told no task's number answers every question, with its supports."""

from __future__ import annotations

from fastweights.tasks.babi.solver import Answer, Reader, Sentence, solve, solve_all

__all__ = ["Answer", "Reader", "Sentence", "solve", "solve_all"]
