"""Where a run is: a folder, a model that comes with the library, or one of the Hugging Face hub, by its name."""

from __future__ import annotations

import os
import re
import textwrap
from pathlib import Path

from fastweights.errors import UserError

PRETRAINED = Path(__file__).parents[1] / "pretrained"
"""Exported folders, by the names of the models that come with the library."""

_ON_HUB = re.compile(r"[\w.-]+/[\w.-]+")
_FILES = ("config.json", "model.safetensors", "result.json", "metrics.jsonl", "*.txt", "tokenizer*")


def pretrained() -> list[str]:
    """Return the names of the models that come with the library.

    Example:
        >>> pretrained()
        ['catbabi', 'retrieval']
    """
    return sorted(path.parent.name for path in PRETRAINED.glob("*/config.json"))


def located(name: str | os.PathLike[str]) -> Path:
    """Return the folder of a run, which need not be one.

    Args:
        name: a path; what is there goes before all else. Else the name of a model that comes with the library
            (`pretrained`), or "owner/name" on the Hugging Face hub, if there is no folder "owner" here.

    Raises:
        UserError: if the hub is asked, and has no such model or cannot be reached.

    Example:
        >>> located("retrieval").name, located("runs").name
        ('retrieval', 'runs')
    """
    path = Path(name)
    if os.path.lexists(path):
        return path
    if str(name) in pretrained():
        return PRETRAINED / str(name)
    if _ON_HUB.fullmatch(str(name)) and not os.path.lexists(path.parent):
        return _from_hub(str(name))
    return path


def _from_hub(name: str) -> Path:
    """Download a model, or find it in the hub's cache; only what is safe to read: weights, records and words."""
    here = f"{name} is no folder here"
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise UserError(
            f"{here}, and models of the hub take huggingface_hub: pip install 'fastweights[hf]'"
        ) from None
    try:
        return Path(snapshot_download(name, allow_patterns=list(_FILES)))
    except Exception as error:  # of many libraries: the network's, the hub's, the disk's
        reason = " ".join(str(error).split()) or type(error).__name__
        reason = textwrap.shorten(reason, 160, placeholder=" …")
        raise UserError(f"{here}, and the hub did not return it: {reason}") from error
