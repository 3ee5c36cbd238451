"""Written by the author of the checks, along with them; in halves, to build on and to judge by."""
