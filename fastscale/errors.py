"""The errors that the command prints as one line."""


class InputError(ValueError):
    """Unusable input, which the user can fix. The command prints the message and exits with 2."""


class RunError(RuntimeError):
    """A run that could not continue. The command prints the message and exits with 1.

    What was saved before stays.
    """
