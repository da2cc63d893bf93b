"""Ground floor: the words that judge, player and reports share."""
