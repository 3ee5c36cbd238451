"""Showing what was judged: on a terminal, and as a page."""

from undertow.show.page import write_report
from undertow.show.terminal import explain_page, print_review, runs_table

__all__ = ["explain_page", "print_review", "runs_table", "write_report"]
