"""The backward pass of a model as a program to read."""

from undertow.derivation.derivation import Derivation, derive

__all__ = ["Derivation", "derive"]
