"""Everything that assignment 4 gives to everybody, in one place: captions, and the arithmetic of the Transformer."""

from captioning_helpers import *  # noqa: F403
from transformer_helpers import *  # noqa: F403
