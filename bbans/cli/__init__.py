"""The command line: bbans demo | train | compress | decompress | info | export."""
