"""What the proofs by repetition share: where a row was made, and how a part of a proof is reported."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TypeAlias

from fastweights.runs import environment

Cell: TypeAlias = str | int | float | bool | None


def made() -> dict[str, object]:
    """Return where a row is made: versions, commit, machine and date."""
    return {
        "versions": environment.versions(),
        "commit": environment.commit(),
        "machine": environment.machine(),
        "date": datetime.now(UTC).date().isoformat(),
    }


def report(row: Mapping[str, Cell], line: str, *, as_json: bool) -> None:
    """Print one part of a proof: a line, or its row with versions, commit, machine and date."""
    print(json.dumps({**row, **made()}) if as_json else line, flush=True)
