"""Showing what was judged: on a terminal, and as a page."""

from undertow.show.outlook import Question
from undertow.show.page import write_comparison, write_landscape, write_report
from undertow.show.terminal import comparison_screen, explain_page, outlook_screen, print_review, runs_table

__all__ = [
    "Question",
    "comparison_screen",
    "explain_page",
    "outlook_screen",
    "print_review",
    "runs_table",
    "write_comparison",
    "write_landscape",
    "write_report",
]
