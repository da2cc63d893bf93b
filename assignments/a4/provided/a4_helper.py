"""The helpers for captions under the name that they had in 2020."""

from captioning_helpers import *  # noqa: F403
