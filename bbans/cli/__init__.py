"""The command line: bbans FILE..., and commands."""
