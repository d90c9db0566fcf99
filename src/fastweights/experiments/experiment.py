"""What a recipe is: a value that says all that is needed to train a model on a task, test it and record it."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

from fastweights.errors import UserError
from fastweights.experiments.options import backend_option

if TYPE_CHECKING:
    from fastweights.models import SequenceModel
    from fastweights.runs import Run
    from fastweights.training import Outcome, Progress, Settings, Source


class Recipe(ABC):
    """What a user chooses: a frozen dataclass whose fields are a command's options.

    A field left at None is chosen by `resolve`.

    Attributes:
        device: where to train.
        free: fields that may change when a run is resumed.
        aside: fields that do not decide what is trained: where the data lies, how much time there is.
    """

    device: str
    free: ClassVar[tuple[str, ...]] = ("device", "backend")
    aside: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def resolve(self) -> Ready:
        """Fill in every None.

        Raises:
            UserError: on a value out of range, or an option that the model does not have.
        """

    def decisive(self) -> dict[str, Any]:
        """Give the fields that decide what is trained; how long, only where something else depends on it."""
        recipe: Any = self
        names = [field.name for field in dataclasses.fields(recipe)]
        return {name: getattr(self, name) for name in names if name not in self.aside}


@runtime_checkable
class Ready(Protocol):
    """A recipe with nothing left to choose: what `recipes.run` asks of it."""

    @property
    def model(self) -> str: ...
    @property
    def seed(self) -> int: ...
    @property
    def steps(self) -> int: ...
    @property
    def backend(self) -> str: ...

    def folder_name(self) -> str:
        """Name a run after what sets it apart."""
        ...

    def describe(self) -> dict[str, Any]:
        """Say in a row of results what was trained: `task`, `hidden`."""
        ...

    def task_config(self) -> dict[str, Any]:
        """Give the task's name and options, from which `fastweights.tasks.build` makes it again."""
        ...

    def network(self) -> dict[str, Any]:
        """Describe the model by what `fastweights.models.model_config` takes, without what the task decides."""
        ...

    def sizes(self) -> dict[str, int]:
        """Give the numbers of the model that the task decides: `input`, `classes`."""
        ...

    def engine_settings(self) -> Settings:
        """Translate the recipe into the engine's settings."""
        ...

    def source(self) -> Source:
        """Make the task trainable."""
        ...

    def small(self) -> bool:
        """Whether a step is so short that a second thread costs more than it saves."""
        ...

    def opening(self, model: SequenceModel) -> str:
        """Say in a line what is about to be trained."""
        ...

    def progress(self) -> Progress:
        """Make the bar that shows the training on a terminal."""
        ...

    def examine(
        self, model: SequenceModel, outcome: Outcome
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Test the trained model: the figures to record, and a few answered questions."""
        ...


def model_config(ready: Ready) -> dict[str, Any]:
    """Describe a recipe's model in the form that `fastweights.models.from_config` rebuilds it from."""
    from fastweights import models

    network = ready.network()
    options = network["options"] | backend_option(ready.model, ready.backend)
    return models.model_config(ready.model, **{**network, **ready.sizes(), "options": options})


EXTENT = {"epochs": "epochs", "updates": "steps"}
"""Fields of recipes that say how long a run is, and the key under which its result has how long it was."""


LIMITS = ("minutes", *EXTENT)
"""Fields that end a run, of which one is given."""


def wants_more(recorded: Mapping[str, Any], ready: Ready) -> bool:
    """Tell whether a recorded run ended at a limit, of time, epochs or updates, below that of a recipe."""
    minutes = getattr(ready, "minutes", None)
    before = recorded.get("limit_seconds")
    if before is not None:
        return minutes is None or 60 * minutes > before
    wanted = {key: getattr(ready, name, None) for name, key in EXTENT.items()}
    return any(
        number is not None and number > recorded.get(key, number) for key, number in wanted.items()
    )


def check_data(run: Run, task: Mapping[str, Any]) -> None:
    """Raise `UserError` unless a task, as `task_config` gives it, has the data that a run was begun with."""
    if task.get("fingerprint") != run.config["task"].get("fingerprint"):
        raise UserError(f"{run.folder} was trained on other words or stories than those given now")


def filled(given: Recipe, chosen: Mapping[str, Any], **decided: Any) -> dict[str, Any]:
    """Give a recipe's fields by name, a None among them as it is `chosen`; what is `decided` stands above both."""
    recipe: Any = given
    values = {field.name: getattr(recipe, field.name) for field in dataclasses.fields(recipe)}
    wanted = {name: value for name, value in chosen.items() if values[name] is None}
    return {**values, **wanted, **decided}
