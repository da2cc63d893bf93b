"""Second floor, trusted side: checks, reference, comparisons and verdicts; never imports a submission."""
