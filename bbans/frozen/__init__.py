"""Models in integers, ready to code."""
