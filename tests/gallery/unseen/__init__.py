"""Written by the author of the checks, after them, and not looked at meanwhile."""
