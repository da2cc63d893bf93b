"""What can be wrong with a data set."""

from __future__ import annotations

from grader.exits import UsageError


class DataError(UsageError):
    """A data set could not be read, fetched or kept. The message names the path, what was expected and what to do."""
