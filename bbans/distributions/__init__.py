"""Laws of integers: objects that messages and range coders code by."""
