"""The exception for errors of the user."""


class BenchError(Exception):
    """Bad input; the message says what was given, what was expected and the remedy.

    The tools print the message without a traceback and exit with code 2.
    """
