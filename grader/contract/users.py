"""The users as whom players run, where the grader is root: known to the judge, who chooses one, and to the player."""

from __future__ import annotations

FIRST_UID = 60000
"""Submissions graded at the same time get ``FIRST_UID + slot``, each its own: one user's processes share limits."""

UIDS = 5000
"""Number of slots."""
