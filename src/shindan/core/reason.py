"""Why something could not be known: a key and its numbers, put into words by the report."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Reason:
    """The sentence ``key`` of ``report/reasons.<language>.yaml``, its placeholders' values."""

    key: str
    values: Mapping[str, int | float | str] = field(default_factory=dict)


Because = Reason | str
"""A ``str`` is somebody else's words, told as they are: an old record's, an exception's."""
