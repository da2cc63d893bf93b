"""What `experiments.py` runs: the networks of this assignment trained, measured and shown."""
