"""Written by strangers to the checks, after `blind` had been looked at."""
