"""The checks, by family: one module a family, each diagnosis one function."""
