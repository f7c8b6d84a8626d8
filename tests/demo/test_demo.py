import ast
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from shindan.cli import main
from shindan.cli.demo import runs, tales
from shindan.core.document import Document
from shindan.core.errors import ShindanError
from shindan.core.evidence.curve import Curve, FixedBatch, FixedPoint, MicroStep, Prediction
from shindan.core.finding import Diagnosed, Failure, NotRun, Subject
from shindan.core.text import LANGUAGES, Language
from shindan.reference import corpus, logs
from shindan.reference.relived import __path__ as relived_room
from shindan.report.view import View

SCRIPTS = [Path(relived_room[0]) / f"{name}.py" for name in runs.NAMES]
CURVE = Curve(
    micro=tuple(MicroStep(i, i, x) for i, x in enumerate((6.0, 5.0, 4.0, 3.0, 2.0, 1.0))),
    updates=(),
    total_updates=6,
)
FIXED = FixedBatch((FixedPoint(6, 1.0, 0.25, 0.5),), (Prediction(0, 3, 2, (1, 2), (4.0, 3.0), 2),))


def document(name: str, *ids: str, not_run: tuple[str, ...] = ()) -> Document:
    findings = tuple(
        Diagnosed(i, "cause", "major", "ledger", 0.9, {"n": 1}, rank=r)
        for r, i in enumerate(ids, 1)
    )
    return Document(
        "sick" if ids else "healthy",
        (Subject("run", name),),
        findings,
        tuple(NotRun(i, "because") for i in not_run),
        (Failure("probe", "oh"),),
    )


def relived() -> list[runs.Relived]:
    evidence = runs.spelt({Curve: CURVE, FixedBatch: FIXED}, ("[PAD]", ",", "beings"))
    return [
        runs.Relived(n, View(document(f"{n}.py", f"made/{i}"), evidence), f"last words of {n}")
        for i, n in enumerate(runs.NAMES)
    ]


class Text(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.said: list[str] = []
        self.feed(page)

    def handle_data(self, data: str) -> None:
        self.said.append(data)

    def __str__(self) -> str:
        return " ".join("".join(self.said).split())


def test_corpus_is_text_without_a_network() -> None:
    found = corpus.sentences()
    assert found == corpus.sentences()
    assert len(found) > 1500
    assert all(6 <= len(words) <= 40 for words in found)
    ids = corpus.vocabulary(found, 200)
    assert len(ids) == 200
    assert [ids[s] for s in corpus.SPECIALS] == list(range(5))
    assert corpus.encode(["the", "no-such-word"], ids) == [ids["the"], corpus.UNK]
    assert "the" in list(ids)[5:10]


def test_log_sessions_follow_the_automaton() -> None:
    made = list(logs.sessions(50, seed=3))
    assert made == list(logs.sessions(50, seed=3))
    assert made != list(logs.sessions(50, seed=4))
    for session in made:
        times = [at for at, _ in session]
        assert times == sorted(times)
        assert "allocateBlock" in session[0][1]
        assert "Deleting block" in session[-1][1]
        assert not any("{" in line for _, line in session)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda s: s.stem)
def test_patient_is_plain_and_short(script: Path) -> None:
    text = script.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 180
    imported = {
        node.module or "" if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ImportFrom | ast.Import)
    }
    ours = {m for m in imported if m.startswith("shindan")}
    assert ours <= {"shindan.reference.corpus", "shindan.reference.logs"}
    outside = {m.split(".")[0] for m in imported - ours}
    assert outside <= {"torch", "numpy", "yaml", "json", "math", "re", "pathlib", "argparse"}


def test_scripts_are_laid_out_to_be_read_and_run_again(tmp_path: Path) -> None:
    (tmp_path / "phase8").mkdir()
    (tmp_path / "phase8" / "20250101-phase8-1.db").write_text("old")
    runs.prepared(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == set(runs.NAMES)
    assert {p.name for p in (tmp_path / "phase8").iterdir()} == {"phase8.py", "phase8.yaml"}
    assert (tmp_path / "logbert" / "logbert.py").read_bytes() == SCRIPTS[1].read_bytes()


def test_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(ShindanError, match="not-writable"):
        runs.prepared(tmp_path / "taken")


def test_run_without_a_record_is_told(tmp_path: Path) -> None:
    (tmp_path / "errors.txt").write_text("Traceback\nImportError: no torch\n")
    with pytest.raises(ShindanError, match="ImportError: no torch"):
        runs.finished(tmp_path, "logbert")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("update 40/300 loss 3.211", ("40", "300", "3.211")),
        ("step 16/1600 loss 9.154 lr 0.05000", ("16", "1600", "9.154")),
        ("update 12/128 loss nan", ("12", "128", "nan")),
        ("epoch 2 validation loss 3.7", None),
    ],
)
def test_progress_is_read_from_the_output(line: str, expected: tuple[str, ...] | None) -> None:
    said = runs.SAYS.search(line)
    assert (said.groups() if said else None) == expected


def test_last_words_come_after_the_progress() -> None:
    assert runs.last_words("update 1/2 loss 3\nupdate 2/2 loss 2\na: 1\nb: 2\n") == "a: 1\nb: 2"
    assert runs.last_words("only this") == "only this"
    assert runs.last_words("") == ""


def test_predictions_are_spelt_out() -> None:
    fixed = runs.spelt({FixedBatch: FIXED}, ("[PAD]", ",", "beings"))[FixedBatch]
    assert isinstance(fixed, FixedBatch)
    assert (fixed.predictions[0].truth_text, fixed.predictions[0].top_text) == (
        "beings",
        (",", "beings"),
    )
    assert runs.spelt({FixedBatch: FIXED}, ("too", "few"))[FixedBatch] == FIXED


def test_tales_are_twins() -> None:
    english, japanese = (tales.tales(language) for language in LANGUAGES)

    def shape(tree: object) -> object:
        if isinstance(tree, dict):
            return {key: shape(value) for key, value in tree.items()}
        return sorted(re.findall(r"\{(\w+)", tree)) if isinstance(tree, str) else tree

    assert shape(english) == shape(japanese)
    assert set(runs.NAMES) < set(english)


@pytest.mark.parametrize("language", LANGUAGES)
def test_page_opens_with_what_was_found(language: Language) -> None:
    text = str(Text(tales.page(relived(), language)))
    texts = tales.tales(language)
    opening = text[: text.index(texts["saw"])]
    for i, name in enumerate(runs.NAMES):
        assert f"made/{i}" in opening
        assert texts[name]["heading"] in opening
        assert f"last words of {name}" in text
    for part in tales.PARTS:
        assert text.count(texts[part]) == len(runs.NAMES)


def test_numbers_are_the_runs_own() -> None:
    texts = tales.tales("en")
    first, *_, last = relived()
    told = tales.introduction(first, texts)
    assert "6 updates; the loss goes from 6 to 1." in told
    assert "50% of the places get the same answer (`,`)" in told
    assert "its mean over all updates is 3.50, over its last third 1.50" in told
    assert "its mean over all updates" not in tales.introduction(last, texts)
    bare = runs.Relived("logbert", View(document("logbert.py")))
    assert "updates;" not in tales.introduction(bare, texts)


def test_five_documents_become_one() -> None:
    a = document("a.py", "x/one", "x/two", not_run=("n/both", "n/a"))
    one = tales.joined([a, document("b.py", not_run=("n/both", "n/b"))])
    assert one.verdict == "sick"
    assert [s.name for s in one.subjects] == ["a.py", "b.py"]
    assert [(f.id, f.subject, f.rank) for f in one.findings] == [("x/one", 0, 1), ("x/two", 0, 2)]
    assert [n.id for n in one.not_run] == ["n/both"]
    assert [f.what for f in one.failed] == ["a.py: probe", "b.py: probe"]


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Path]:
    """The command without its runs, in an empty folder; returns where they were asked for."""
    asked: list[Path] = []

    def play(folder: Path, console: Console) -> list[runs.Relived]:
        asked.append(folder)
        return relived()

    monkeypatch.setattr(runs, "relived", play)
    monkeypatch.chdir(tmp_path)
    return asked


def test_command_writes_page_and_json(played: list[Path]) -> None:
    result = CliRunner().invoke(main, ["demo", "--lang", "ja", "--json", "found.json"])
    assert result.exit_code == 0, result.output
    assert played == [Path("shindan-demo")]
    page = Path("shindan-demo/report.html").read_text(encoding="utf-8")
    assert 'lang="ja"' in page
    content = json.loads(Path("found.json").read_text(encoding="utf-8"))
    assert [s["name"] for s in content["subjects"]] == [f"{n}.py" for n in runs.NAMES]
    assert [f["subject"] for f in content["findings"]] == [0, 1, 2, 3, 4]
    assert "shindan-demo/report.html" in result.output
    assert "made/4" in result.output


def test_quiet_command_says_nothing(played: list[Path]) -> None:
    result = CliRunner().invoke(main, ["demo", "--quiet"])
    assert (result.exit_code, result.output) == (0, "")
    assert Path("shindan-demo/report.html").exists()


FOUND = {
    "masked_lm": {"model/attention-mask-ignored"},
    "logbert": {"numerics/root-gradient-at-zero", "symptom/nan"},
    "phase8": {
        "optimizer/hook-clamps-scaled-gradients",
        "config/logged-lr-not-effective",
        "config/value-overridden",
        "symptom/loss-flat",
    },
    "distillation": {"distillation/kl-reduction"},
    "context_vector": {"model/signal-lost-with-depth", "symptom/at-unigram-line"},
}
"""What at least must be found in each."""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_report_is_diagnosed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["demo", "--lang", "en", "--json", "found.json"])
    assert result.exit_code == 0, result.output
    content = json.loads(Path("found.json").read_text(encoding="utf-8"))
    assert content["failed"] == []
    for number, name in enumerate(runs.NAMES):
        found = {f["id"] for f in content["findings"] if f["subject"] == number}
        assert found >= FOUND[name], (name, found)
    page = Path("shindan-demo/report.html").read_text(encoding="utf-8")
    assert all(f["title"] in str(Text(page)) for f in content["findings"])
