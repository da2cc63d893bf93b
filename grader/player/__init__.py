"""Second floor, untrusted side: the only processes in which a submission's code runs."""
