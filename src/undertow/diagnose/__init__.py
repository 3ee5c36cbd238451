"""Judging a stored run: it reads records, and never touches torch."""

from undertow.diagnose.causes import Possibility
from undertow.diagnose.finding import Finding, Outcome, Review, Symptom
from undertow.diagnose.review import review

__all__ = ["Finding", "Outcome", "Possibility", "Review", "Symptom", "review"]
