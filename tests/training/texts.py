"""A task of endless texts without sense, to hold streams against, and a small model of them."""

import torch

from fastweights import models
from fastweights.tasks import Segment

WORDS, MARK = 9, 3


def segment_at(text, place, length):
    tokens, targets = text[:, place : place + length], text[:, place + 1 : place + 1 + length]
    real = torch.ones_like(tokens, dtype=torch.bool)
    return Segment(tokens, targets, torch.ones_like(tokens), tokens == MARK, real)


class Rows:
    def __init__(self, text):
        self.text, self.place = text, 0

    def next(self, length):
        self.place += length
        return segment_at(self.text, self.place - length, length)

    def state(self):
        return {"place": torch.full((len(self.text),), self.place)}

    def restore(self, tensors):
        assert len(tensors["place"]) == len(self.text)
        self.place = int(tensors["place"][0])


class Hits:
    def __init__(self):
        self.right, self.count = 0, 0

    def add(self, logits, targets, task_ids):
        assert len(logits) == len(targets) == len(task_ids)
        self.right += int((logits.argmax(1) == targets).sum())
        self.count += len(targets)

    def metrics(self):
        return {"accuracy": self.right / self.count, "answers": float(self.count)}


class Noise:
    """A text without sense, with marks in it whose next word counts as an answer."""

    def text(self, rows, seed):
        generator = torch.Generator().manual_seed(seed)
        return torch.randint(0, WORDS, (rows, 401), generator=generator)

    def streams(self, rows, *, seed=0, first_row=0):
        return Rows(self.text(first_row + rows, seed % 1000)[first_row:])

    def segments(self, split, rows, length):
        text = self.text(rows, 7)
        return [segment_at(text, start, length) for start in range(0, 60, length)]

    def score(self):
        return Hits()


def network(name="fwm", **options):
    torch.manual_seed(3)
    return models.from_config(
        models.model_config(
            name,
            input=WORDS,
            hidden=6,
            classes=WORDS,
            embedding=5,
            head_bias=False,
            options=options,
        )
    )


def fwm():
    return network(memory_size=3, reads=2, backend="reference")
