"""Seconds of runs, from whatever a log says of its time."""

import datetime
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from shindan.logs.clocks import timed, tokens_of_update
from shindan.logs.judged import judged
from shindan.logs.sides import run
from shindan.logs.table import LogTable

from .tables import table

STEPS = [float(i) for i in range(10, 101, 10)]
"""Ten rows, ten updates apart."""
EACH = [0.5] * 10
START = datetime.datetime(2026, 1, 5, 9, 0, 0, tzinfo=datetime.UTC)


def logged(
    columns: Mapping[str, Sequence[float]],
    words: Mapping[str, Sequence[str | None]] | None = None,
    settings: Mapping[str, object] | None = None,
) -> LogTable:
    losses = [5 - 0.1 * i for i in range(10)]
    return table({"step": STEPS, "loss": losses, **columns}, words, settings)


@pytest.mark.parametrize(
    ("columns", "settings", "clock", "seconds"),
    [
        ({"elapsed": [5.0 * i for i in range(1, 11)]}, {}, "clock", 50.0),
        ({"train_time": [5e3 * i for i in range(1, 11)]}, {"units.train_time": "ms"}, "clock", 50),
        ({"s elapsed": [5.0 * i for i in range(1, 11)]}, {}, "clock", 50.0),
        ({"_runtime": [5.0 * i for i in range(1, 11)]}, {}, "clock", 50.0),
        # set anew after the first rows, as modded-nanogpt does
        ({"train_time": [9.0, 5.0, *(10.0 * i for i in range(1, 9))]}, {}, "clock", 80.0),
        ({"timestamp": [1.75e9 + 5 * i for i in range(10)]}, {}, "dates", 45.0),
        ({"_timestamp": [1.75e9 + 5 * i for i in range(10)]}, {}, "dates", 45.0),
        ({"dt": [500.0] * 10}, {"units.dt": "ms"}, "steps", 50.0),
        ({"ms/step": [500.0] * 10}, {}, "steps", 50.0),
        ({"step_time": EACH}, {}, "steps", 50.0),
        # one step held an evaluation: it is one of ten
        ({"dt": [500.0] * 9 + [5500.0]}, {"units.dt": "ms"}, "steps", 55.0),
        ({"time": [500.0] * 10}, {"units.time": "ms"}, "steps", 50.0),
        ({"it/s": [2.0] * 10}, {}, "speed", 50.0),
        ({"steps_per_second": [2.0] * 10}, {}, "speed", 50.0),
        ({"train_runtime": [*[np.nan] * 9, 50.0]}, {}, "total", 50.0),
    ],
)
def test_seconds(
    columns: Mapping[str, Sequence[float]], settings: dict[str, object], clock: str, seconds: float
) -> None:
    found = timed(logged(columns, None, settings), np.array(STEPS), None)
    assert found is not None
    assert found.clock == clock
    assert np.nanmax(found.seconds) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("name", "words", "clock", "seconds"),
    [
        ("time", [(START + datetime.timedelta(seconds=5 * i)).isoformat() for i in range(10)],
         "dates", 45.0),
        ("created_at", [f"2026-01-05 09:00:{5 * i:02d}" for i in range(10)], "dates", 45.0),
        ("elapsed_time", [f"0:00:{5 * i:02d}" for i in range(1, 11)], "clock", 50.0),
    ],
)  # fmt: skip
def test_times_in_words(name: str, words: list[str], clock: str, seconds: float) -> None:
    found = timed(logged({}, {name: words}), np.array(STEPS), None)
    assert found is not None
    assert found.clock == clock
    assert np.nanmax(found.seconds) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "columns",
    [
        {"time": [200.0, 150.0, 160.0, 170.0, 158.0, 160.0, 161.0, 150.0, 162.0, 151.0]},
        {"eta": [50.0 - 5 * i for i in range(10)]},
        {"epoch_time": [5.0] * 10},
        {"tps": [30000.0] * 10},
        {"timestamp": [1.75e9 - i for i in range(10)]},
    ],
)
def test_what_is_no_clock(columns: Mapping[str, Sequence[float]]) -> None:
    """Times of epochs, time still to go, speeds of one device, dates that run backwards."""
    assert timed(logged(columns), np.array(STEPS), 1e4) is None


def test_micro_steps_are_timed_each() -> None:
    """Two rows an update, each with its own time, from the eleventh update on."""
    columns = {"step": [11.0 + i // 2 for i in range(10)], "iter_time": [200.0] * 10}
    log = table(columns, None, {"units.iter_time": "ms"})
    found = timed(log, np.array(columns["step"], dtype=np.float64), None)
    assert found is not None
    assert np.nanmax(found.seconds) == pytest.approx(15 * 2 * 0.2)


def test_tokens_of_an_update_from_time_and_speed() -> None:
    speeds = {"dt": [500.0, 400.0] * 5, "tok/sec": [32768 / 0.5, 32768 / 0.4] * 5}
    settings: dict[str, object] = {"units.dt": "ms"}
    assert tokens_of_update(logged(speeds, None, settings), np.array(STEPS)) == 32768
    unlike = {**speeds, "tok/sec": [1e4 * i for i in range(1, 11)]}
    assert tokens_of_update(logged(unlike, None, settings), np.array(STEPS)) is None


def test_tokens_of_a_second_are_a_clock_where_an_update_is_known() -> None:
    made = logged({"tok/s": [64.0] * 10}, None, {"tokens_per_update": 32})
    side = run(judged(made), "one", {}).side
    assert side.facts.clock == "speed"
    assert side.facts.of("seconds") == pytest.approx(50.0)
    assert side.facts.of("tokens") == 3200


@pytest.mark.parametrize(
    ("settings", "facts"),
    [
        ({"total batch size": 524288, "sequence length T": 1024},
         {"batch": 512, "tokens_per_update": 524288}),
        ({"total_batch_size": 512}, {"batch": 512}),
        ({"micro_batch_size": 4, "gradient_accumulation_steps": 8, "world_size": 2}, {"batch": 64}),
        ({"num decayed parameter tensors": "50, with 124,354,560 parameters",
          "num non-decayed parameter tensors": "98, with 121,344 parameters"},
         {"parameters": 124475904}),
        ({"number of parameters": "10.65M"}, {"parameters": 10.65e6}),
        ({"n_embd": 384, "n_layer": 6}, {"width": 384, "layers": 6}),
        ({"model": "GRU"}, {"model": "GRU"}),
    ],
)  # fmt: skip
def test_settings_as_scripts_write_them(
    settings: dict[str, object], facts: dict[str, object]
) -> None:
    side = run(judged(table({"step": STEPS, "loss": STEPS[::-1]}, None, settings)), "one", {}).side
    assert {name: getattr(side.facts, name) for name in facts} == facts


def test_the_batch_of_hugging_faces_state_is_of_a_device() -> None:
    columns = {"step": STEPS, "loss": STEPS[::-1]}
    state: dict[str, object] = {"train_batch_size": 4}
    form = "hf-trainer-state"
    assert run(judged(table(columns, None, state, form)), "one", {}).side.facts.batch is None
    last = {
        "train_samples_per_second": [*[None] * 9, 2.78],
        "train_steps_per_second": [*[None] * 9, 0.174],
    }
    told = table({**columns, **last}, None, state, form)
    assert run(judged(told), "one", {}).side.facts.batch == 16
    slow = {**last, "train_steps_per_second": [*[None] * 9, 0.002]}
    assert (
        run(judged(table({**columns, **slow}, None, state, form)), "x", {}).side.facts.batch is None
    )
