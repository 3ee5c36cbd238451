"""Written by a stranger to the checks, after `held` had been looked at."""
