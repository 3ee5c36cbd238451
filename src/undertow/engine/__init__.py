"""Backpropagation itself: it knows torch and nothing else."""
