"""Asserting in a test suite that a network can learn."""

from undertow.testing.learns import NotLearningError, assert_learns

__all__ = ["NotLearningError", "assert_learns"]
