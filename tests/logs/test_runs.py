"""Several runs in one log, against one run that was resumed or counts its steps by the epoch."""

from collections.abc import Sequence

import numpy as np
import pytest

from shindan.logs.axis import axis
from shindan.logs.judged import judged
from shindan.logs.roles import infer
from shindan.logs.runs import apart, long_enough, runs
from shindan.logs.table import LogTable

from .tables import table

Values = Sequence[float | None]


def falling(n: int, seed: int = 0, start: float = 10.8, end: float = 3.2) -> list[float]:
    noise = np.random.default_rng(seed).normal(0, 0.03, n)
    return list(end + (start - end) * np.exp(-np.arange(n) / 20) + noise)


def steps(*counts: range) -> list[float]:
    return [float(s) for count in counts for s in count]


def sizes(log: LogTable) -> list[int]:
    return [len(run.table) for run in runs(log)]


def cosine(n: int) -> list[float]:
    return [3e-4 * (0.55 + 0.45 * np.cos(np.pi * i / n)) for i in range(n)]


# One run


def test_a_log_that_counts_through_is_one_run_and_its_own_table() -> None:
    log = table({"step": steps(range(50)), "loss": falling(50)})
    (run,) = runs(log)
    assert run.table is log
    assert (run.number, run.losses, run.short) == (1, 50, False)


@pytest.mark.parametrize("jump", [0.0, 0.5, 4.0])
def test_a_resume_is_no_run_of_its_own_however_far_the_loss_jumps(jump: float) -> None:
    loss = falling(100)
    after = [v + jump * 0.9**i for i, v in enumerate(loss[40:])]
    log = table({"step": steps(range(60), range(40, 100)), "loss": [*loss[:60], *after]})
    assert sizes(log) == [120]
    assert judged(log).axis.resumed == (60,)


def test_a_resume_with_fresh_weights_is_none_either_as_its_count_goes_on() -> None:
    log = table({"step": steps(range(60), range(40, 100)), "loss": [*falling(60), *falling(60, 1)]})
    assert sizes(log) == [120]


def test_a_resume_after_the_first_epoch_is_told_from_a_run_that_counts_from_one() -> None:
    loss = falling(12)
    epochs = [*map(float, range(3)), *map(float, range(1, 10))]
    resumed = table({"epoch": epochs, "loss": [*loss[:3], *loss[1:10]]})
    assert sizes(resumed) == [12]
    other = table({"epoch": [*map(float, range(9)), *map(float, range(1, 10))],
                   "loss": [*falling(9), *falling(9, 1)]})  # fmt: skip
    assert sizes(other) == [9, 9]


@pytest.mark.parametrize("first", [0, 1, 10])
def test_steps_of_an_epoch_are_counted_on(first: int) -> None:
    """Without a column of epochs: the loss goes on where it was."""
    per = range(first, first + 200, 10)
    log = table({"step": steps(*[per] * 6), "loss": falling(120)})
    assert sizes(log) == [120]
    way = axis(log, infer(log))
    assert way.x.tolist() == [first + 10.0 * i for i in range(120)]
    assert way.kept.all()
    assert (way.progress.passes, way.progress.returns) == (5, ())


def test_a_flat_loss_is_not_cut_where_its_steps_begin_anew() -> None:
    noise = np.random.default_rng(3).normal(2.0, 0.1, 120)
    log = table({"step": steps(*[range(20)] * 6), "loss": noise.tolist()})
    assert sizes(log) == [120]


def test_a_counter_of_epochs_that_goes_on_is_one_run() -> None:
    """Even where the loss is back at its start: the weights were lost, not the count."""
    log = table({"step": steps(range(40), range(40)), "epoch": [0.0] * 40 + [1.0] * 40,
                 "loss": [*falling(40), *falling(40, 1)]})  # fmt: skip
    assert sizes(log) == [80]


def test_a_schedule_that_goes_on_is_one_run() -> None:
    log = table({"step": steps(range(40), range(40)), "lr": cosine(80),
                 "loss": [*falling(40), *falling(40, 1, start=6.0)]})  # fmt: skip
    assert sizes(log) == [80]


def test_a_rate_that_is_divided_after_each_epoch_is_one_run() -> None:
    rates = [1e-2 / 2**e for e in range(4) for _ in range(30)]
    log = table({"step": steps(*[range(30)] * 4), "lr": rates, "loss": falling(120)})
    assert sizes(log) == [120]


def test_validation_rows_that_count_by_themselves_are_no_runs() -> None:
    count, loss = [], []
    for i, value in enumerate(falling(200)):
        count.append(float(i % 50))
        loss.append(value)
        if i % 50 == 49:
            count += [*map(float, range(5))]
            loss += [value + 0.05] * 5
    assert sizes(table({"step": count, "loss": loss})) == [220]


def test_nor_are_those_of_an_epoch_that_has_a_number() -> None:
    count, epoch, loss = [], [], []
    for e, part in enumerate(np.array_split(falling(120, start=4.0), 3)):
        count += [*map(float, range(40)), *map(float, range(10))]
        epoch += [float(e)] * 50
        loss += [*part.tolist(), *[float(part[-1]) + 0.05] * 10]
    assert sizes(table({"step": count, "epoch": epoch, "loss": loss})) == [150]


def test_more_columns_are_no_other_run_while_the_count_goes_on() -> None:
    reward: Values = [None] * 60 + [0.1] * 40
    log = table({"step": steps(range(100)), "loss": falling(100), "reward": reward})
    assert sizes(log) == [100]


# Several runs


def test_a_run_from_scratch_is_a_run_of_its_own() -> None:
    log = table({"step": steps(range(50), range(80)), "loss": [*falling(50), *falling(80, 1)]})
    first, second = runs(log)
    assert (len(first.table), len(second.table)) == (50, 80)
    assert (second.number, second.line, second.name) == (2, 52, "train.csv #2")
    way = judged(second.table).axis
    assert (way.progress.rows, way.progress.first, way.resumed) == (80, 0, ())


def test_each_run_keeps_its_own_resumes() -> None:
    loss = falling(60)
    count = steps(range(40), range(30, 60), range(40), range(30, 60))
    log = table({"step": count, "loss": [*loss[:40], *loss[30:]] * 2})
    assert sizes(log) == [70, 70]
    assert all(len(judged(run.table).axis.resumed) == 1 for run in runs(log))


def test_a_run_with_another_logging_interval() -> None:
    log = table({"step": steps(range(50), range(25, 500, 25)),
                 "loss": [*falling(50), *falling(19, 1)]})  # fmt: skip
    assert sizes(log) == [50, 19]


def test_equal_losses_under_a_schedule_that_begins_anew() -> None:
    flat = np.random.default_rng(1).normal(2.0, 0.1, 120).tolist()
    log = table({"step": steps(*[range(40)] * 3), "lr": cosine(40) * 3, "loss": flat})
    assert sizes(log) == [40, 40, 40]


def test_equal_losses_counted_in_epochs() -> None:
    """Nothing counts epochs anew but a training that begins."""
    flat = np.random.default_rng(1).normal(2.0, 0.1, 60).tolist()
    log = table({"epoch": steps(*[range(1, 21)] * 3), "loss": flat})
    assert sizes(log) == [20, 20, 20]


def test_equal_losses_counted_in_steps_of_epochs() -> None:
    flat = np.random.default_rng(1).normal(2.0, 0.1, 80).tolist()
    epochs = [float(e) for _ in range(2) for e in (1, 2) for _ in range(20)]
    log = table({"step": steps(*[range(20)] * 4), "epoch": epochs, "loss": flat})
    assert sizes(log) == [40, 40]


def test_a_phase_with_other_columns_that_counts_anew_is_a_run_of_its_own() -> None:
    """Its loss may be another, and so may its schedule: nothing can be said of both together."""
    reward: Values = [None] * 60 + [0.1] * 40
    log = table({"step": steps(range(60), range(40)), "reward": reward,
                 "loss": [*falling(60), *[3.3] * 40]})  # fmt: skip
    first, second = runs(log)
    assert "reward" not in first.table.columns
    assert "reward" in second.table.columns


def test_weights_that_broke_do_not_heal() -> None:
    loss = [*falling(30), *[float("nan")] * 10, *falling(40, 1)]
    assert sizes(table({"step": steps(range(40), range(40)), "loss": loss})) == [40, 40]


def test_rows_before_the_first_loss_of_a_run_are_its_own() -> None:
    log = table({"epoch": [1.0, 2, 3, 3, 1, 1, 2, 3],
                 "val_loss": [None] * 3 + [3.1, 9.0] + [None] * 3,
                 "loss": [9.0, 5, 3, None, None, 9.1, 5.2, 3.1]})  # fmt: skip
    first, second = runs(log)
    assert [run.table.columns["val_loss"].tolist() for run in (first, second)] == [
        pytest.approx([np.nan] * 3 + [3.1], nan_ok=True),
        pytest.approx([9.0] + [np.nan] * 3, nan_ok=True),
    ]


def test_an_evaluation_that_no_counter_places_is_of_neither_run() -> None:
    """As llm.c writes one before its first step: it is no rise at the end of the run before."""
    step: Values = [*range(1, 21), None, None, *range(1, 21)]
    evaluations: Values = [None] * 20 + [6.0, 10.8] + [None] * 20
    losses: Values = [*falling(20), None, None, *falling(20, 1)]
    log = table({"step": step, "val_loss": evaluations, "loss": losses})
    first, second = runs(log)
    assert "val_loss" not in {*first.table.columns, *second.table.columns}
    assert (second.line, sizes(log)) == (24, [20, 20])


@pytest.mark.parametrize("opens", [False, True])
def test_a_measure_with_which_no_run_begins_is_of_the_run_before(opens: bool) -> None:
    """Each run evaluates when it is done; or, where the first one opens with it, before."""
    step: Values = [None, *range(1, 21), None, *range(1, 21)]
    ppl: Values = [9000.0 if opens else None, *[None] * 20, 1.2, *[None] * 20]
    losses: Values = [None, *falling(20), None, *falling(20, 1)]
    first, second = runs(table({"step": step, "ppl": ppl, "loss": losses}))
    assert len(first.table) == (21 if opens else 22)
    ppl_of_first = first.table.columns["ppl"][first.table.present["ppl"]]
    assert ppl_of_first.tolist() == ([9000.0] if opens else [1.2])
    assert "ppl" not in second.table.columns


def test_rows_under_a_heading_that_counts_are_of_its_run() -> None:
    losses = [9.0, 5.0, 3.0, 9.1, 5.2, 3.1]
    log = table({"epoch": [v for e in (1.0, 2, 3) * 2 for v in (e, None, None)],
                 "loss": [v for y in losses for v in (None, y, None)],
                 "accuracy": [v for y in losses for v in (None, None, 1 / y)]})  # fmt: skip
    first, second = runs(log)
    assert first.table.present["accuracy"].sum() == second.table.present["accuracy"].sum() == 3


# What becomes of them


def test_short_runs_are_told_from_those_that_can_be_judged() -> None:
    log = table({"step": steps(range(3), range(2), range(60)),
                 "loss": [*falling(3), *falling(2, 1), *falling(60, 2)]})  # fmt: skip
    found = runs(log)
    assert [run.short for run in found] == [True, True, False]
    assert long_enough(found) == found[2:]
    (only,) = apart(log)
    assert (only.name, len(only)) == ("train.csv", 60)


def test_of_short_runs_alone_the_longest_is_judged() -> None:
    log = table({"epoch": steps(range(3), range(5)), "loss": [9.0, 5, 3, 9, 5, 3, 2, 2]})
    (only,) = apart(log)
    assert len(only) == 5


def test_settings_are_those_of_the_runs_that_look_alike() -> None:
    settings = {"max_grad_norm": 1.0, "units.time": "ms"}
    count, loss = steps(*[range(30)] * 3), [*falling(30), *falling(30, 1), *falling(30, 2)]
    rate = [*cosine(30), *cosine(30), *[v / 3 for v in cosine(30)]]
    log = table({"step": count, "loss": loss, "lr": rate}, settings=settings)
    assert [len(run.table.settings) for run in runs(log)] == [2, 2, 1]


def test_a_log_of_very_many_beginnings_counts_by_the_epoch() -> None:
    log = table({"step": steps(*[range(5)] * 1200), "loss": falling(6000)})
    assert sizes(log) == [6000]


@pytest.mark.parametrize(("level", "expected"), [(0.0, [40]), (0.5, [20, 20])])
def test_epochs_that_begin_anew_at_neither_level_are_a_run_of_another_model(
    level: float, expected: list[int]
) -> None:
    """The one before began far above and ended 0.5 below; or the loss goes on where it was."""
    rng = np.random.default_rng(3)
    loss = [*(4 + 6 * 0.3 ** np.arange(20)), *(np.full(20, 4.0 + level))]
    epochs = [float(e) for e in (1, 2, 1, 2) for _ in range(10)]
    noise = rng.normal(0, 0.03, 40)
    log = table({"step": steps(*[range(10)] * 4), "epoch": epochs, "loss": list(loss + noise)})
    assert sizes(log) == expected
