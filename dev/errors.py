"""What goes wrong on a developer's machine, told in one line that says what to do."""

from __future__ import annotations


class StackError(Exception):
    """The stack cannot do what was asked; the message is for the person at the keyboard."""
