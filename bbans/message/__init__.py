"""The message, a stack of bits, and the range coder, a queue."""
