"""Errors that are told to a person as one sentence."""

from shindan.core.reason import Reason


class ShindanError(Exception):
    """Something the user can mend; the sentence of that key (core/reason.py) says what to do."""

    def __init__(self, key: str, **values: object) -> None:
        self.reason = Reason(key, {name: str(value) for name, value in values.items()})
        super().__init__(key, *self.reason.values.values())
