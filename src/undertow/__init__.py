"""Backpropagation as a program you can see, and why a network does not learn."""

import sys
from types import ModuleType

import lazy_loader

# What is offered stands in __init__.pyi. A training that is only watched loads neither the calculus nor what plots.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


class Offering(ModuleType):
    """Importing a folder does not put it in the place of the function that has its name, such as `observe`."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in __all__ and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = Offering
