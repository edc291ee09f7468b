"""A config with all that the command line asks for; imports no torch."""
