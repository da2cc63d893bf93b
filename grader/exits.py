"""How a command ends."""

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
    """The command's arguments cannot be used; says what was expected and what to do."""
