"""Write the three files of a new check: ``python tools/new_check.py data/padding-in-loss``."""

import sys
from pathlib import Path

ROOM = Path(__file__).parents[1] / "src" / "shindan" / "checks"

CODE = '''"""TODO: the fault in one line."""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.curve import Curve
from shindan.core.example import Example
from shindan.core.finding import Finding


@check(
    id="{id}",
    kind="cause",
    severity="major",
    grounds="relation",
    refs=(),
    explains=(),
    fault=Edit(script="gpt_plain", old="TODO", new="TODO"),
)
def CHECK(curve: Curve) -> Iterator[Finding]:
    """TODO: what is judged, and where the line between sick and healthy comes from."""
    if curve.total_updates < 0:
        yield Finding(measured={{"updates": curve.total_updates}})


SICK = Example(evidence=(Curve((), (), total_updates=-1),), finds=({{"updates": -1}},))
HEALTHY = Example(evidence=(Curve((), ()),))
'''

PAGES = {
    "en": ("Symptom", "Cause", "Evidence", "Fix", "Not a fault when", "References"),
    "ja": ("症状", "原因", "証拠", "対処", "異常でない場合", "参考"),
}


def page(headings: tuple[str, ...]) -> str:
    """A page with its front matter and empty sections."""
    front = 'title: TODO\nmessage: "{updates} TODO"\nfix: "TODO"\nverify: "TODO"\n'
    return f"---\n{front}---\n" + "\n".join(f"## {h}\n\nTODO\n" for h in headings)


def main(id: str) -> None:
    """Write the files; refuse to overwrite."""
    family, _, stem = id.partition("/")
    place = ROOM / family / stem.replace("-", "_")
    if not (ROOM / family).is_dir() or not stem:
        families = ", ".join(sorted(p.name for p in ROOM.iterdir() if (p / "__init__.py").exists()))
        sys.exit(f"{id} is not family/name; the families are {families}.")
    files = {place.with_suffix(".py"): CODE.format(id=id)}
    files |= {place.with_suffix(f".{lang}.md"): page(h) for lang, h in PAGES.items()}
    for path in files:
        if path.exists():
            sys.exit(f"{path} exists already.")
    for path, text in files.items():
        path.write_text(text, encoding="utf-8")
        sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python tools/new_check.py family/name")
    main(sys.argv[1])
