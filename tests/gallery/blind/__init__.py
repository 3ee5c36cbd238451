"""Written by two strangers to the checks, half the field each, after `fresh` had been looked at."""
