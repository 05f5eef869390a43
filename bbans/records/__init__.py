"""Many sequences: batches, and packets."""
