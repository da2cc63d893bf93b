"""The platform on one's own machine: its container, its limits, its harness, and what people see there."""
