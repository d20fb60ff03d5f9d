"""The one exception that a person sees as a sentence."""

from __future__ import annotations


class StackError(Exception):
    """Something stands in the way of the stack; the message says what, and what to do.

    Attributes:
        detail: lines that help to find the cause, such as the end of a log; may be empty.
    """

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail.strip()
