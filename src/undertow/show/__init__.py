"""Showing what was judged: on a terminal, and as a page."""

from undertow.show.outlook import Question
from undertow.show.page import write_report
from undertow.show.terminal import explain_page, outlook_screen, print_review, runs_table

__all__ = ["Question", "explain_page", "outlook_screen", "print_review", "runs_table", "write_report"]
