"""The one error a user can cause: its text is a single line that says what would be right."""


class InputError(ValueError):
    """Unusable input. The command prints its text on stderr and ends with exit code 2."""
