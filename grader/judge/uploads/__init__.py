"""Intake of what a student hands in: reading it without trusting it, and finding the modules in it."""
