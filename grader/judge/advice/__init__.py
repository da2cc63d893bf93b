"""What a check that failed tells beyond its verdict: hints from wrong variants of the reference, and small inputs."""
