"""Fifth floor: what students and authors of courses receive, derived from the reference."""
