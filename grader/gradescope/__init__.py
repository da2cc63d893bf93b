"""Fourth floor: what Gradescope reads and writes."""
