"""What acts under faults and tests agree on."""


def record(k: int) -> str:
    """Record k of all files: what it is can be told from its number."""
    return f"record {k}: " + "it was the best of times, " * (k % 7)
