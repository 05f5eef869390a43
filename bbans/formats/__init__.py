"""Files: the container and what its blocks are coded by."""
