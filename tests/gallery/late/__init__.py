"""Written by a stranger to the checks, after `wild` had been looked at."""
