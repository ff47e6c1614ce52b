"""The errors that the command prints as one line: what a user can mend, and what ended a run."""


class InputError(ValueError):
    """Unusable input. The command prints its text on stderr and ends with exit code 2."""


class RunError(RuntimeError):
    """A run that could not go on. The command prints its text on stderr and ends with exit code 1; what was saved before stays."""
