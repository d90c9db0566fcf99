"""`fastweights list`: what there is."""

from __future__ import annotations

from dataclasses import dataclass

from fastweights.cli.console import print_json, print_table


@dataclass(frozen=True)
class Inventory:
    """List models, tasks, studies and backends, each with a line of what it is."""

    json: bool = False
    """Print the lists as one JSON object."""

    def run(self) -> int:
        from fastweights import models, ops, tasks
        from fastweights.experiments import registry

        inventory = {
            "models": models.registry.describe(),
            "tasks": tasks.describe(),
            "studies": {name: table.title for name, table in registry.studies().items()},
            "backends": ops.backend.describe(),
        }
        if self.json:
            print_json(inventory)
            return 0
        for kind, entries in inventory.items():
            print_table(kind, ("name", "what it is"), sorted(entries.items()))
        return 0
