"""What differs between two runs, and from which step on."""

from undertow.compare.comparison import Comparison, compare
from undertow.compare.difference import Difference

__all__ = ["Comparison", "Difference", "compare"]
