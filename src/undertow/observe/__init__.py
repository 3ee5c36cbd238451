"""Watching a training that is not ours."""

from undertow.observe.sampler import Sampler
from undertow.observe.session import Session

__all__ = ["Sampler", "Session"]
