"""Lets the migrations of several variants lie in one release."""

from pathlib import Path


def previous(file: str) -> list[tuple[str, str]]:
    """Return the dependencies of a migration: the one that stands before it in the release, whichever that is."""
    path = Path(file)
    return [("traffic", max(other.stem for other in path.parent.glob("[0-9]*.py") if other.stem < path.stem))]
