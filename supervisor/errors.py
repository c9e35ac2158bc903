"""The one way a supervisor refuses to go on: a sentence for the person at the terminal."""


class CannotStart(SystemExit):
    """Something cannot be started. Its text is one clear sentence; uncaught, it is printed and the exit code is 1."""
