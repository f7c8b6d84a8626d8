"""Steps that go back, stand still, are missing, or begin anew."""

import numpy as np

from shindan.logs.axis import Axis, axis
from shindan.logs.judged import judged, points
from shindan.logs.roles import infer

from .tables import table


def way(**columns: list[float]) -> Axis:
    log = table(columns)
    return axis(log, infer(log))


def falling(n: int) -> list[float]:
    return [3 + 5 * 0.97**i for i in range(n)]


def test_a_resumed_run_counts_once() -> None:
    step = [*range(0, 60), *range(40, 100)]
    found = way(step=[*map(float, step)], loss=falling(120))
    (back,) = found.progress.returns
    assert (back.before, back.at, back.again) == (59, 40, 20)
    assert (back.where.file, back.where.line) == ("train.csv", 62)
    assert found.progress.rows == 100
    assert found.x[found.kept].tolist() == list(range(100))
    assert found.resumed == (60,)


def test_doubled_and_missing_rows_are_counted() -> None:
    step = [s for s in range(0, 1000, 10) if s not in (300, 310, 700)]
    step.insert(5, step[5])
    found = way(step=[*map(float, step)], loss=falling(len(step))).progress
    assert (found.twice, found.missing, found.gaps) == (1, 3, 2)
    assert found.double.line == 8
    assert found.interval == 10


def test_no_row_is_missing_where_rows_are_not_even() -> None:
    step = np.cumsum(np.random.default_rng(0).integers(1, 9, 100)).astype(float)
    assert way(step=step.tolist(), loss=falling(100)).progress.missing == 0


def test_steps_that_begin_anew_in_each_epoch_are_counted_on() -> None:
    step = [float(s) for _ in range(4) for s in range(200, 1000, 200)]
    epoch = [float(e) for e in range(1, 5) for _ in range(4)]
    found = way(step=step, epoch=epoch, loss=falling(16))
    assert found.progress.returns == ()
    assert (np.diff(found.x) > 0).all()


def test_a_resume_within_epochs_is_none() -> None:
    """As fractions, epochs go on rising while a step goes back: that is a resume."""
    step = [*range(0, 60), *range(40, 100)]
    epoch = [s / 30 for s in step]
    found = way(step=[*map(float, step)], epoch=epoch, loss=falling(120))
    assert len(found.progress.returns) == 1


def test_epochs_cut_to_two_figures_are_not_the_same_row() -> None:
    found = way(epoch=[round(i / 300, 2) for i in range(120)], loss=falling(120))
    assert found.unit == "epoch"
    assert found.kept.all()
    assert found.progress.twice == 0


def test_micro_steps_are_told_by_the_counter_of_updates() -> None:
    updates = [float(i) for i in range(1, 41)]
    found = way(step=[16 * u for u in updates], optimizer_step=updates, loss=falling(40)).progress
    assert (found.per_update, found.updates) == (16, 40)


def test_an_infinite_step_is_no_step() -> None:
    step, updates = [1.0, 11.0, float("inf")], [1000.0, 1010.0, 1020.0]
    found = way(step=step, optimizer_step=updates, loss=falling(3)).progress
    assert (found.rows, found.per_update) == (2, 1)


def test_a_counter_that_begins_anew_is_a_resume() -> None:
    updates = [*map(float, range(1, 31)), *map(float, range(1, 31))]
    found = way(step=[8.0 * i for i in range(1, 61)], optimizer_step=updates, loss=falling(60))
    assert found.progress.restarts == 1
    assert found.resumed == (30,)
    assert found.progress.returns == ()


def test_the_middle_of_a_run() -> None:
    late = way(step=[16880.0 + 16 * i for i in range(62)], loss=falling(62)).progress
    assert late.late
    assert not way(step=[10.0 * i for i in range(1, 62)], loss=falling(61)).progress.late


def test_without_any_counter_rows_are_counted() -> None:
    found = way(loss=falling(5))
    assert (found.unit, found.x.tolist()) == ("row", [0, 1, 2, 3, 4])


def test_evaluations_stand_where_the_last_step_stood() -> None:
    log = table(
        {"step": [10.0, 20.0, None, 30.0, None], "loss": [3.0, 2.9, None, 2.8, None],
         "val_loss": [None, None, 3.1, None, 3.0]}
    )  # fmt: skip
    roles = infer(log)
    x, y = points(log, roles, axis(log, roles), "validation")
    assert (x.tolist(), y.tolist()) == ([20.0, 30.0], [3.1, 3.0])


def test_an_empty_log() -> None:
    log = judged(table({}))
    assert log.axis.progress.rows == 0
