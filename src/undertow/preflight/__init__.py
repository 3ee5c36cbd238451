"""Before a training: what would stop it from learning, from two steps that leave no trace."""

from undertow.preflight.brief import first_steps
from undertow.preflight.preflight import Preflight, preflight
from undertow.preflight.reach import Reach
from undertow.preflight.untouched import untouched

__all__ = ["Preflight", "Reach", "first_steps", "preflight", "untouched"]
