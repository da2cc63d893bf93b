"""Ground floor: data sets, read without executing anything that they contain."""
