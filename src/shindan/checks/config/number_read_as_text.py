"""YAML read a number in scientific notation as text, and the script stumbled over it."""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.settings import NumberTexts
from shindan.core.example import Example
from shindan.core.finding import Finding, Where

COMPLAINTS = ("'str'", "not str", "string")


@check(
    id="config/number-read-as-text",
    kind="cause",
    severity="critical",
    grounds="relation",
    refs=("trl#1450", "LlamaFactory#4014", "casanovo#64", "torchgfn#44"),
    fault=Edit(script="accumulate_amp", old="  lr: 6.0e-3", new="  lr: 6e-3"),
)
def CHECK(texts: NumberTexts) -> Iterator[Finding]:
    """The script ended with a complaint about text where a number belongs."""
    error = texts.error or ""
    if error.startswith(("TypeError", "ValueError")) and any(c in error for c in COMPLAINTS):
        key, text = texts.entries[-1]
        yield Finding(
            measured={"key": key, "text": text, "count": len(texts.entries), "error": error},
            where=Where(texts.file, texts.line),
        )


_ERROR = "TypeError: '<=' not supported between instances of 'float' and 'str'"

SICK = Example((NumberTexts((("lr", "1e-4"),), _ERROR),), finds=({"key": "lr", "text": "1e-4"},))
HEALTHY = (
    Example((NumberTexts((("lr", "1e-4"),)),)),  # converted by the script
    Example((NumberTexts((("lr", "1e-4"),), "RuntimeError: out of memory"),)),
)
