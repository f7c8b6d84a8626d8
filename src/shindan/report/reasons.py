"""Why a check could not be made, in words: ``reasons.<language>.yaml``."""

from shindan.core.reason import Because
from shindan.core.text import Language
from shindan.report.words import sheet


def told(because: Because, language: Language) -> str:
    """A clause without its full stop; words that are not ours stay as they are.

    A key that is unknown (a record made by another version) is told itself.
    """
    if isinstance(because, str):
        return because
    template = sheet("reasons", language).get(because.key, because.key)
    return str(template).format_map(because.values)
