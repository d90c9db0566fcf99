"""The tasks' gymnasium environments: their ids, registered when `fastweights.tasks` is imported where gymnasium is."""

from __future__ import annotations

ENVIRONMENTS = {
    "fastweights/Catch-v0": "fastweights.tasks.catch_env:CatchEnv",
    "fastweights/MetroMap-v0": "fastweights.tasks.metro_env:MetroMapEnv",
}
"""Each environment's id, and the class that gymnasium loads when it is made."""


def register_environments() -> None:
    """Register the environments with gymnasium, which is imported for that; those registered already stay.

    A spawned process, in which nothing is imported, makes them by "fastweights.tasks:fastweights/Catch-v0".

    Raises:
        ImportError: if gymnasium is not installed.

    Example:
        >>> register_environments()
        >>> import gymnasium
        >>> gymnasium.spec("fastweights/Catch-v0").entry_point
        'fastweights.tasks.catch_env:CatchEnv'
    """
    from gymnasium.envs import registration

    for name, entry_point in ENVIRONMENTS.items():
        if name not in registration.registry:
            registration.register(name, entry_point=entry_point)
