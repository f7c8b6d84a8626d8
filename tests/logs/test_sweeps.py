"""More than two runs: their order, sweeps and their edges, and one finding for many pairs."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from shindan.cli.main import main
from shindan.core.evidence.sweeps import Sweep
from shindan.core.text import LANGUAGES
from shindan.diagnose.compare import compare
from shindan.logs.sides import Run
from shindan.logs.sweeps import one_text, ranking, sweeps

from .test_compare import ids, logged
from .worlds import BEST, known, level, made


def rates(*values: float) -> list[Run]:
    return [made(f"{r:g}", rate=r, seed=i) for i, r in enumerate(values)]


def only(runs: list[Run]) -> Sweep:
    (found,) = sweeps(runs, "training")
    return found


def test_the_order_and_who_shares_a_place() -> None:
    runs = [made("a"), made("b", seed=1), made("c", size=4e8, seed=2), made("d", rate=1e-4, seed=3)]
    found = ranking(runs, "training")
    assert found is not None
    assert {r.run: r.place for r in found.runs} == {2: 1, 0: 2, 1: 2, 3: 4}
    assert found.varied == ("rate", "parameters")
    assert (found.axis, found.at) == ("updates", 4000)


def test_a_run_that_stopped_early_stands_aside() -> None:
    found = ranking([made("a"), made("b", seed=1), made("c", 200, seed=2)], "training")
    assert found is not None
    assert found.absent == (2,)
    assert found.at == 4000


def test_two_runs_have_no_order() -> None:
    assert ranking([made("a"), made("b")], "training") is None
    assert sweeps([made("a"), made("b", rate=2e-3)], "training") == ()


def test_the_best_rate_inside() -> None:
    found = only(rates(2.5e-4, BEST, 4e-3))
    assert (found.over, found.edge, found.clear) == ("rate", None, True)
    assert found.best.value == BEST
    assert found.optimum is not None
    assert found.optimum == pytest.approx(BEST, rel=0.2)


@pytest.mark.parametrize(
    ("tried", "edge"), [((2.5e-4, 5e-4, BEST), "high"), ((BEST, 2e-3, 4e-3), "low")]
)
def test_the_best_rate_at_the_edge(tried: tuple[float, ...], edge: str) -> None:
    found = only(rates(*tried))
    assert found.edge == edge
    assert found.clear
    # nobody is told where a parabola would go outside of what was tried
    assert found.optimum is None or tried[0] <= found.optimum <= tried[-1]


def test_seeds_of_one_value_are_one_point() -> None:
    runs = [*rates(2.5e-4, BEST, 4e-3), made("again", rate=BEST, seed=9)]
    found = only(runs)
    assert [t.value for t in found.tried] == [2.5e-4, BEST, 4e-3]
    assert found.best.level == pytest.approx(level(4000, 1e8, BEST, left=0.02), abs=0.03)


def test_runs_that_differ_in_more_are_no_sweep() -> None:
    runs = [made(f"{s:g}", size=s, rate=r, seed=i)
            for i, (s, r) in enumerate(((1e8, 1e-3), (2e8, 2e-3), (4e8, 4e-3)))]  # fmt: skip
    assert sweeps(runs, "training") == ()


def test_sizes_and_batches_are_sweeps_too() -> None:
    sizes = [made(f"{s:g}", size=s, seed=i) for i, s in enumerate((1e8, 2e8, 4e8))]
    assert only(sizes).over == "parameters"
    batches = [made(f"{b:g}", batch=b, seed=i) for i, b in enumerate((32.0, 64.0, 128.0))]
    assert only(batches).over == "batch"


def test_other_tokens_have_no_order() -> None:
    runs = [made("a"), made("b"), known(made("c"), tokenizer="other")]
    assert one_text(runs[:2])
    assert not one_text(runs)


def written(folder: Path, rate: float, seed: int) -> Path:
    """A log of the world, as a script would have written it."""
    run = made("x", rate=rate, seed=seed)
    place = folder / f"lr{rate:g}-{seed}"
    place.mkdir()
    assert run.rates is not None
    rows = zip(run.at["updates"], run.curves["training"], run.rates, strict=True)
    text = "step,loss,lr\n" + "".join(f"{x:.0f},{y:.5f},{r:.8g}\n" for x, y, r in rows)
    (place / "train.csv").write_text(text)
    settings = {"learning_rate": rate, "batch_size": 32, "seq_len": 64, "n_params": 1e8}
    (place / "config.json").write_text(json.dumps(settings))
    return place / "train.csv"


def test_logs_of_a_sweep(tmp_path: Path) -> None:
    paths = [written(tmp_path, r, i) for i, r in enumerate((2.5e-4, 5e-4, BEST))]
    out = compare(paths)
    assert ids(out) == {"comparison/lr-not-retuned": "info"}
    (found,) = out.document.findings
    assert found.variant == "edge"
    assert out.document.subjects[found.subject].facts["place"] == 1
    assert out.document.verdict == "healthy"
    assert out.document.failed == ()
    (first, second) = out.comparison.pairs
    for two in (first, second):
        assert two.gap is not None
        assert two.gap.part("rate") is not None


def test_an_edge_that_seeds_confirm_is_more(tmp_path: Path) -> None:
    tried = [(r, i) for r in (2.5e-4, 5e-4, BEST) for i in range(2)]
    out = compare([written(tmp_path, r, i) for r, i in tried])
    assert ids(out)["comparison/lr-not-retuned"] == "minor"
    assert [t.seeds for t in out.comparison.sweeps[0].tried] == [2, 2, 2]


def test_a_sweep_with_the_best_inside_accuses_nobody(tmp_path: Path) -> None:
    paths = [written(tmp_path, r, i) for i, r in enumerate((2.5e-4, BEST, 4e-3))]
    # the lowest and the highest are as bad as each other, which is all there is to note
    assert ids(compare(paths)) == {"comparison/cannot-decide": "info"}


def test_seeds_are_told_once(tmp_path: Path) -> None:
    paths = [written(tmp_path, BEST, i) for i in range(4)]
    out = compare(paths)
    assert not any(s != "info" for s in ids(out).values())
    undecided = [f for f in out.document.findings if f.id == "comparison/cannot-decide"]
    assert len(undecided) <= 1
    assert out.comparison.ranking is not None
    assert out.comparison.ranking.varied == ()


def test_one_finding_for_many_pairs() -> None:
    runs = ("report4_baseline", "report4_advanced", "report4_advanced")
    out = compare([logged(name) for name in runs])
    budget = [f for f in out.document.findings if f.id == "comparison/unequal-budget"]
    assert len(budget) == 1
    assert budget[0].measured["also"] == (out.document.subjects[2].name,)
    assert [f.rank for f in out.document.findings] == list(range(1, len(out.document.findings) + 1))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_door_with_many_runs(lang: str, tmp_path: Path) -> None:
    tried = (2.5e-4, 5e-4, BEST, 2e-3, 4e-3, 8e-3)
    paths = [str(written(tmp_path, r, i)) for i, r in enumerate(tried)]
    files = {form: tmp_path / f"c.{form}" for form in ("json", "html", "md")}
    options = [part for form, path in files.items() for part in (f"--{form}", str(path))]
    done = CliRunner().invoke(main, ["compare", *paths, "--lang", lang, *options])
    assert done.exit_code == 0, done.output
    import jsonschema

    from shindan.report import jsondoc

    document = json.loads(files["json"].read_text(encoding="utf-8"))
    jsonschema.validate(document, jsondoc.schema())
    assert sorted(s["place"] for s in document["subjects"])[0] == 1
    page = files["html"].read_text(encoding="utf-8")
    assert page.count('class="facts compared"') == 4  # order, sweep, side by side, shares
    assert 'class="bar' in page
    assert "lr0.001-2" in files["md"].read_text(encoding="utf-8")


def test_broken_numbers_have_no_place() -> None:
    bad = made("bad")
    runs = [made("a"), made("b", seed=1), replace(bad, curves={"training": np.full(400, np.nan)})]
    found = ranking(runs, "training")
    assert found is not None
    assert found.absent == (2,)
