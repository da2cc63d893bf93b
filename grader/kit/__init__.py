"""Fourth floor: what a student receives, derived from the reference."""
