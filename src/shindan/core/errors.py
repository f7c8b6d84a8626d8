"""Errors that are told to a person as one sentence."""


class ShindanError(Exception):
    """Something the user can mend; the message says what to do."""
