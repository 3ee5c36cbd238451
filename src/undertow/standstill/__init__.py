"""Why a training stands still: minimum, saddle, plateau, noise floor, steps too small or bouncing."""

from undertow.standstill.escape import Escape
from undertow.standstill.ground import Ground, Slope
from undertow.standstill.search import standstill
from undertow.standstill.standstill import Standstill
from undertow.standstill.tried import Plan, Tried

__all__ = ["Escape", "Ground", "Plan", "Slope", "Standstill", "Tried", "standstill"]
