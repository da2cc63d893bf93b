"""What judge and player both know about the users as whom players run, and about the room that these have."""

from __future__ import annotations

FIRST_UID = 60000
"""Submissions graded at the same time get ``FIRST_UID + slot``, each its own: one user's processes share limits."""

UIDS = 5000
"""Number of slots."""

SCRATCH_BYTES = 256 << 20
"""What a player may write to its scratch folder."""
