"""LogBERT whole: trained small on the embedded log, asked for anomalies, limits from validation."""

import json
import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from shindan.cli.main import main
from shindan.reference.data.sessions import DIST, FIRST_KEY, MASK, PAD, KeyVocabulary, Session
from shindan.reference.models.logbert import LogBert, LogBertConfig
from shindan.reference.recipes import log_baselines as baselines
from shindan.reference.recipes.anomalies import opened
from shindan.reference.recipes.detector import Detector
from shindan.reference.recipes.log_evaluation import at_prevalence, hdfs_test, interval, recall_at
from shindan.reference.recipes.log_rules import damaged, limit, limits_of
from shindan.reference.recipes.log_sources import END, closed, embedded_lines
from shindan.reference.recipes.logbert import RECIPE, SphereObjective, masked, parts
from shindan.reference.train.loop import Loop
from shindan.reference.train.objectives import with_places
from shindan.reference.train.ranks import Ranks
from shindan.reference.train.resolve import given
from shindan.reference.train.resolve import load as saved
from tests.reference.real import real

HERE = Ranks(0, 1, torch.device("cpu"))
SMALL = ("model.hidden=32", "model.heads=2", "model.intermediate=64", "plot=false")


def shindan(*words: str, status: int = 0) -> str:
    done = CliRunner().invoke(main, words)
    assert done.exit_code == status, done.output
    return done.output


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("logbert") / "run"
    shindan("train", "logbert", "max_updates=100", f"output_dir={folder}", "--quiet", *SMALL)
    return folder


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Normal sessions of another seed, one with a foreign line, one cut off."""
    texts = [line.text for line in embedded_lines(12, seed=9)]
    block = texts[0].split("blk_")[1].split()[0]
    texts.insert(3, f"Disk on fire beside blk_{block}")
    texts += [line.text for line in embedded_lines(1, seed=77)][:3]
    path = tmp_path / "some.log"
    path.write_text("\n".join(texts) + "\n")
    return path


def lines(folder: Path) -> list[dict[str, float]]:
    return [json.loads(text) for text in (folder / "metrics.jsonl").read_text().splitlines()]


def test_both_losses_are_on_from_the_first_update_and_finite(run: Path) -> None:
    every = lines(run)
    assert all(math.isfinite(one["loss"]) and math.isfinite(one["sphere"]) for one in every)
    assert every[0]["sphere"] > 0
    assert every[0]["loss"] == pytest.approx(every[0]["nll"] + 0.1 * every[0]["sphere"], rel=1e-4)
    assert every[0]["perplexity"] == pytest.approx(math.exp(every[0]["nll"]))
    assert every[-1]["nll"] < 0.8 * every[0]["nll"]


def test_the_centre_is_that_of_training_sessions_in_eval_mode(run: Path) -> None:
    asked = opened(run)
    sessions = asked.cutting.cut(list(embedded_lines()), "embedded")
    train, kept_out = parts(sessions, asked.settings.validation_share)
    vocabulary = asked.detector.vocabulary
    assert vocabulary == KeyVocabulary.of(train)
    with torch.no_grad():
        states = [
            asked.detector.model.encode(torch.tensor(row)[None])[0, 0]
            for row in vocabulary.encode(train)
        ]
    centre = torch.stack(states).double().mean(0).float()
    torch.testing.assert_close(asked.detector.model.centre, centre, atol=1e-5, rtol=1e-4)
    assert asked.limits.sessions == len(kept_out)


def test_anomalies_are_told_with_their_lines(run: Path, log: Path, tmp_path: Path) -> None:
    told = shindan("anomalies", str(run), str(log), "--json", str(tmp_path / "o.json"))
    assert "Disk on fire" in told
    assert "not in the training" in told
    content = json.loads((tmp_path / "o.json").read_text())
    first, *_, last = content["sessions"]
    assert first["anomalous"]
    assert first["suspects"][0]["line"] == 4
    assert first["suspects"][0]["surprise"] == "inf"
    assert first["unseen_keys"] == 1
    assert content["counts"]["unseen_keys"] == 1
    assert content["counts"]["sessions_with_unseen_keys"] == 1
    assert last["lines"] == list(range(last["lines"][0], last["lines"][0] + 3))
    assert last["surprises"][-1] == max(last["surprises"])  # it ends too soon
    japanese = shindan("anomalies", str(run), str(log), "--lang", "ja")
    assert "学習ログにないキー" in japanese


def test_limits_are_of_these_weights(run: Path) -> None:
    before = opened(run).limits
    kept = json.loads((run / "limits.json").read_text())
    assert opened(run).limits == before
    (run / "limits.json").write_text(json.dumps({**kept, "model": "other", "surprise": -1.0}))
    assert opened(run).limits == before


def test_what_cannot_be_asked_is_one_sentence(run: Path, tmp_path: Path, log: Path) -> None:
    assert "did you mean some.log" in shindan(
        "anomalies", str(run), str(log.with_name("sme.log")), status=2
    )
    (tmp_path / "plain.log").write_text("hello\nworld\n")
    said = shindan("anomalies", str(run), str(tmp_path / "plain.log"), status=2)
    assert "no line of" in said
    assert "there is no run at" in shindan("anomalies", str(tmp_path), str(log), status=2)
    other = tmp_path / "bert"
    other.mkdir()
    (other / "settings.json").write_text(json.dumps({**saved(run), "recipe": "bert-mlm"}))
    assert "a run of bert-mlm" in shindan("anomalies", str(other), str(log), status=2)
    assert "a run of logbert" in shindan("predict", str(run), "a [MASK]", status=2)
    bad = shindan("train", "logbert", "session=(", f"output_dir={tmp_path / 'x'}", status=2)
    assert "session=( is not a pattern" in bad


def test_sessions_of_keys_and_windows_of_lines(tmp_path: Path) -> None:
    made = tmp_path / "hdfs"
    made.mkdir()
    (made / "hdfs_train").write_text("5 22 5 11\n5 5 22\n9 11\n" * 20)
    for data, extra in ((made, "ordered=false"), (tmp_path / "plain.log", "window=5")):
        if data.suffix:
            data.write_text(
                "".join(f"job {n} {'started' if n % 2 else 'done'}\n" for n in range(90))
            )
        folder = tmp_path / f"run-{data.name}"
        words = (f"data={data}", f"output_dir={folder}", "max_updates=3", extra)
        shindan("train", "logbert", "--quiet", *words, *SMALL)
        test = made / "hdfs_train" if data == made else data
        shindan("anomalies", str(folder), str(test))
        assert (END in opened(folder).detector.vocabulary.keys) is (data == made)


def test_a_batch_without_a_masked_key_has_no_nan() -> None:
    torch.manual_seed(0)
    model = LogBert(LogBertConfig(vocab_size=9, hidden=16, layers=1, heads=2, intermediate=16))
    ids = torch.tensor([[DIST, 5], [DIST, PAD]])
    batch = with_places({"ids": ids, "mask": ids != PAD, "labels": torch.full((2, 2), -100)})
    loss = SphereObjective(model, 0.1)(batch)["loss"]
    loss.backward()
    assert loss == 0
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


def test_masks_are_dynamic_and_spare_what_is_no_key() -> None:
    ids = torch.tensor([[DIST, *range(FIRST_KEY, FIRST_KEY + 30), PAD]] * 50)
    first, second = (masked(ids, None, torch.Generator().manual_seed(n)) for n in (0, 1))
    assert not torch.equal(first[0], second[0])
    inputs, labels = first
    assert torch.equal(inputs == MASK, labels != -100)
    assert torch.equal(torch.where(labels == -100, inputs, labels), ids)
    assert (inputs[:, 0] == DIST).all()
    shares = (inputs == MASK).float().mean(1)
    assert shares.min() < 0.2
    assert shares.max() > 0.7


@pytest.fixture(scope="module")
def detector() -> Detector:
    torch.manual_seed(0)
    vocabulary = KeyVocabulary(("a", "b", END, "c"))
    size = {"hidden": 16, "layers": 1, "heads": 2, "intermediate": 16, "max_positions": 8}
    model = LogBert(LogBertConfig(vocab_size=len(vocabulary), **size)).eval()
    return Detector(model, vocabulary, ordered=False)


def test_scores_come_back_in_the_sessions_own_order(detector: Detector) -> None:
    here = closed(Session(("c", "a", "x", "b", "a")))
    (found,) = detector.scores([here])
    (piece,) = detector.pieces(here)
    names = ["[UNK]" if id < FIRST_KEY else detector.vocabulary.keys[id - 4] for id in piece.row]
    assert names[1:] == ["[UNK]", "a", "a", "b", "c", END]
    assert [math.isinf(s) for s in found.surprises] == [False, False, True, False, False, False]
    row = torch.tensor(piece.row)[None]
    row[0, 5] = MASK  # c
    with torch.no_grad():
        logits = detector.model(row)[0, 5, FIRST_KEY:]
    assert found.surprises[0] == pytest.approx(-logits.log_softmax(-1)[3].item(), abs=1e-4)
    assert found.ranks[0] == 1 + int((logits > logits[3]).sum())
    back, forth = (closed(Session(tuple(keys))) for keys in ("cab", "bac"))
    assert detector.scores([back])[0].surprise == detector.scores([forth])[0].surprise


def test_long_sessions_are_asked_in_pieces(detector: Detector) -> None:
    (found,) = detector.scores([closed(Session(("a", "b", "c") * 7))])
    assert len(found.surprises) == len(found.ranks) == len(found.expected) == 22


def test_limits(detector: Detector) -> None:
    scores = [float(n) for n in range(1, 1000)]
    assert limit(scores, 0.01) == 990
    assert limit(scores, 1e-9) == 999
    assert limit([1.0, math.inf], 0.01) == 1
    sessions = [closed(Session(tuple("abca"[: n % 3 + 2]))) for n in range(40)]
    found = limits_of(detector, sessions, 0.05)
    assert all(share <= 0.05 for share in found.false_alarms.values())
    forms = {tuple(sorted(one.keys)) for one in sessions}
    assert not forms & {tuple(sorted(one.keys)) for one in damaged(sessions, detector)}


def test_baselines() -> None:
    train = [Session(("a", "b", "b")), Session(("a", "b", "b", "c"))]
    new, long = baselines.new_event(train), baselines.length(train)
    swapped, short, other = (closed(Session(tuple(keys))) for keys in ("bab", "ab", "abz"))
    assert [baselines.unseen_sequence(train)(s) for s in (*train, swapped)] == [0, 0, 1]
    assert [new(s) for s in (swapped, short, other)] == [0, 0, 1]
    assert [long(s) for s in (swapped, short, other)] == [0, 1, 0]
    assert [baselines.either(new, long)(s) for s in (swapped, short, other)] == [0, 1, 1]
    assert [baselines.unseen_counts(train)(s) for s in (swapped, short, other)] == [0, 1, 1]
    distance = baselines.count_distance(train)
    assert distance(swapped) == 0
    assert distance(short) == pytest.approx(1 / 3)
    assert distance(other) == pytest.approx(2 / 3)


def test_figures_at_natural_prevalence() -> None:
    """SYSTEMS.md, section 1: .057 and .366."""
    assert at_prevalence(1.0, 1.0)[1] == pytest.approx(0.0574, abs=1e-4)
    assert at_prevalence(0.0, 0.0) == (0.0, 0.0)
    low, high = interval(0, 7000)
    assert low == pytest.approx(0)
    assert high == pytest.approx(5.5e-4, abs=1e-5)
    assert recall_at([5.0, 3.0, 1.0], [4.0, 2.0, 0.0, 0.0], 0.25) == pytest.approx(2 / 3)


def test_the_hdfs_test_is_whole() -> None:
    test = hdfs_test(real("hdfs"))
    assert [len(some) for some in (test.anomalies, test.normals, test.unseen)] == [
        16_838, 7_000, 612,
    ]  # fmt: skip
    train = [Session(tuple(text.split())) for text in (real("hdfs") / "hdfs_train").open()]
    unseen = baselines.unseen_sequence(train)
    alarms = sum(map(unseen, test.normals)) / 7_000
    assert at_prevalence(1.0, alarms)[1] == pytest.approx(0.366, abs=1e-3)


def test_killed_and_resumed_is_the_same_run(tmp_path: Path) -> None:
    ends = []
    for name, stops in (("whole", (6,)), ("parts", (3, 6))):
        folder = tmp_path / name
        folder.mkdir()
        for stop in stops:
            told = {"output_dir": folder, "resume": stop != stops[0], "max_updates": 6}
            told |= {"evaluate_every": 2, "model.hidden": 16, "model.intermediate": 16}
            settings = RECIPE.resolve("tiny", given(told, "test")).settings
            torch.manual_seed(0)
            loop = Loop(RECIPE.task(settings, folder, HERE), settings, HERE, folder)
            with ThreadPoolExecutor(1) as pool:
                while loop.done < stop:
                    loop.update(pool)
                    if loop.done % 2 == 0:
                        loop.evaluate()  # the centre moves
            loop.save()
        ends.append(torch.load(folder / "checkpoint.pt", weights_only=True)["objective"])
    assert ends[0]["model.centre"].abs().sum() > 0
    for key, value in ends[0].items():
        assert torch.equal(value, ends[1][key]), key
