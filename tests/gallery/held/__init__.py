"""Written by a stranger to the checks."""
