"""How a command ends, and the family of errors that its user can mend."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes."""

    OK = 0
    FAILED = 1
    USAGE = 2
    GRADER_ERROR = 3
    INTERRUPTED = 130


class UsageError(ValueError):
    """What a command was given cannot be used; says what was expected, what came, and what to do.

    A command that ends with it, or with an error derived from it, prints its text and exits with :attr:`Exit.USAGE`.
    """
