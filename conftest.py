"""Checks shapes at run time, in the modules that annotate them: to check every helper took two thirds of the time."""

from pathlib import Path

from jaxtyping import install_import_hook

SOURCE = Path(__file__).parent / "src"


def annotated() -> list[str]:
    """Return the names of the modules with shapes in their signatures."""
    files = (path for path in SOURCE.rglob("*.py") if "from jaxtyping import" in path.read_text())
    names = (".".join(path.relative_to(SOURCE).with_suffix("").parts) for path in sorted(files))
    return [name.removesuffix(".__init__") for name in names]


# An int may stand for a float, as PEP 484 has it.
install_import_hook(
    annotated(), "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))"
)
