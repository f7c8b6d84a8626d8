"""What the user can mend, told as one sentence in English or Japanese."""

from collections.abc import Mapping
from typing import ClassVar, Literal


class Refused(Exception):
    """A setting, a file or a run that cannot be used; ``key`` names the sentence that says why."""

    sentences: ClassVar[Mapping[str, tuple[str, str]]] = {}
    """Key: English, Japanese, without a full stop; each kind of refusal has its own."""

    def __init__(self, key: str, /, **values: object) -> None:
        self.key, self.values = key, {name: str(value) for name, value in values.items()}
        super().__init__(key, *self.values.values())

    def told(self, language: Literal["en", "ja"]) -> str:
        """The sentence in either language."""
        return self.sentences[self.key][language == "ja"].format(**self.values)

    def __str__(self) -> str:
        return self.told("en")
