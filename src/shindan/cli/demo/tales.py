"""What the demo tells: the page, the summary, the one document of five subjects."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.markup import escape

from shindan.cli.demo.runs import Relived
from shindan.core.document import Document, Verdict
from shindan.core.evidence.curve import Curve, FixedBatch
from shindan.core.finding import KINDS, SEVERITIES, Failure, NotRun
from shindan.core.text import Language
from shindan.report import html
from shindan.report.outline import outline
from shindan.report.terminal import STYLES
from shindan.report.words import words

ORDER: tuple[Verdict, ...] = ("sick", "inconclusive", "healthy")
PARTS = ("saw", "concluded", "missed")
SHARE = 3
"""The last ``1 / SHARE`` of a run stands for its last epoch."""


def tales(language: Language) -> dict[str, Any]:
    """The texts about the reports, from ``tales.<language>.yaml``."""
    file = resources.files(__package__).joinpath(f"tales.{language}.yaml")
    loaded: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return loaded


def page(runs: Sequence[Relived], language: Language) -> str:
    """The page: a table of what was found, then report by report."""
    texts = tales(language)
    parts = [(texts[r.name]["heading"], introduction(r, texts), r.view) for r in runs]
    return html.render_many(texts["title"], parts, language)


def introduction(run: Relived, texts: dict[str, Any]) -> str:
    """Markdown: what the authors saw, concluded and missed, and how the run here went."""
    tale = texts[run.name]
    told = [f"**{texts[part]}** {tale[part].strip()}" for part in PARTS]
    sentences = {**texts["sentences"], **tale.get("sentences", {})}
    here = [sentences[key].format(**v) for key, v in facts(run).items() if sentences.get(key)]
    told.append(f"**{texts['here']}** {texts['gap'].join(here)}")
    if run.said:
        told.append(f"{texts['said']}\n\n```text\n{run.said}\n```")
    return "\n\n".join(told)


def facts(run: Relived) -> dict[str, dict[str, Any]]:
    """Numbers of the run, by the sentence that tells them; what was not measured is left out."""
    found: dict[str, dict[str, Any]] = {}
    curve, fixed = run.view.get(Curve), run.view.get(FixedBatch)
    if curve is not None and curve.micro:
        losses = [m.loss if m.ce is None else m.ce for m in curve.micro]
        finite = [x for x in losses if math.isfinite(x)]
        found["course"] = {"updates": curve.total_updates, "first": losses[0], "last": losses[-1]}
        late = finite[-max(1, len(finite) // SHARE) :]
        if len(finite) == len(losses):
            found["means"] = {"whole": sum(finite) / len(finite), "late": sum(late) / len(late)}
    if fixed is not None and fixed.points and fixed.predictions:
        point = fixed.points[-1]
        tops = Counter(p.top_text[0] for p in fixed.predictions if p.top_text)
        if tops:
            answer = tops.most_common(1)[0][0]
            share, right = point.commonest, point.accuracy
            found["answers"] = {"answer": answer, "share": share, "right": right}
    return found


def joined(documents: Sequence[Document]) -> Document:
    """One document of several subjects, ranked together; a check ran when it ran in any run."""
    findings = [
        replace(f, subject=number) for number, d in enumerate(documents) for f in d.findings
    ]
    findings.sort(
        key=lambda f: (KINDS.index(f.kind), SEVERITIES.index(f.severity), f.subject, f.rank)
    )
    idle = [{n.id: n for n in d.not_run} for d in documents]
    not_run: list[NotRun] = [n for i, n in idle[0].items() if all(i in rest for rest in idle)]
    failed = [
        Failure(f"{d.subjects[0].name}: {f.what}", f.error) for d in documents for f in d.failed
    ]
    return Document(
        next(v for v in ORDER if v in {d.verdict for d in documents}),
        tuple(s for d in documents for s in d.subjects),
        tuple(replace(f, rank=rank) for rank, f in enumerate(findings, 1)),
        tuple(not_run),
        tuple(failed),
    )


def tell_all(
    runs: Sequence[Relived], report: Path, took: float, language: Language, console: Console
) -> None:
    """Print what was found, report by report, and where the page is."""
    say, texts = words(language), tales(language)
    for run in runs:
        told = outline(run.view, language)
        verdict = f"[{STYLES[told.verdict]}]{say(f'verdict_{told.verdict}')}[/]"
        console.print(f"{escape(texts[run.name]['heading'])}: {verdict}", highlight=False)
        for entry in told.causes or told.entries:
            place = f" [dim]({entry.place})[/]" if entry.place else ""
            title = f"  · {escape(entry.wording.title)}{place}"
            console.print(title, highlight=False, soft_wrap=True)
    console.print(texts["done"].format(report=report, seconds=took), highlight=False)
