"""The tasks' gymnasium environments: their ids, registered when `fastweights.tasks` is imported where gymnasium is."""

from __future__ import annotations

ENVIRONMENTS = {
    "fastweights/Catch-v0": ("catch_env:CatchEnv", "vector_envs:catch"),
    "fastweights/MetroMap-v0": ("metro_env:MetroMapEnv", "vector_envs:metro_map"),
}
"""Each environment's id, and what gymnasium loads from this room when one is made, or many at once (`make_vec`)."""


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

    for name, places in ENVIRONMENTS.items():
        if name not in registration.registry:
            one, many = (f"fastweights.tasks.{place}" for place in places)
            registration.register(name, entry_point=one, vector_entry_point=many)
