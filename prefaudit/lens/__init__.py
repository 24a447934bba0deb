"""The lens: a few sparse directions that say what the two answers of a pair differ in, found without the labels."""

from prefaudit.lens.labels import labelled
from prefaudit.lens.match import STABLE, matched, stability
from prefaudit.lens.names import Name, Terms, names
from prefaudit.lens.presence import least, present, readings, toward
from prefaudit.lens.sae import Sae
from prefaudit.lens.train import Shape, explained, principal, shape, train

__all__ = [
    "STABLE",
    "Name",
    "Sae",
    "Shape",
    "Terms",
    "explained",
    "labelled",
    "least",
    "matched",
    "names",
    "present",
    "principal",
    "readings",
    "shape",
    "stability",
    "toward",
    "train",
]
