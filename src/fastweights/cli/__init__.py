"""The command line: `fastweights VERB …`. Thin: parse, call the rooms below, print."""

from fastweights.cli.app import main

__all__ = ["main"]
