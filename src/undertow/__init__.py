"""Backpropagation as a program you can see, and why a network does not learn."""

import lazy_loader

# What is offered stands in __init__.pyi. A training that is only watched loads neither the calculus nor what plots.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
