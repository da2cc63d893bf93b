"""Third floor: one submission, or a class of them, from upload to report."""
