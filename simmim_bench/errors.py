"""The one exception type whose message is meant for the person at the terminal."""


class BenchError(Exception):
    """Bad input, said in one sentence: what was given, what was expected, the remedy.

    Command-line tools print the sentence without a traceback and exit with code 2.
    """
