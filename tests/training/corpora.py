"""A text without sense, cut into three parts, to hold language models' training against."""

import torch

CLASSES = 9


class Babble:
    """Random words; `sizes` are the tokens of each part."""

    classes = CLASSES

    def __init__(self, train=403, valid=121, test=57):
        self.sizes = {"train": train, "valid": valid, "test": test}

    def split(self, name):
        generator = torch.Generator().manual_seed(sorted(self.sizes).index(name))
        return torch.randint(0, CLASSES, (self.sizes[name],), generator=generator)
