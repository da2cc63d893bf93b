"""An autograder for deep learning written from scratch: see the floors in the repository's README."""

__version__ = "0.1.0"
