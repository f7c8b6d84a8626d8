"""Forecasts: of curves that go on as they went, of report 4's table, of logs with a hidden end."""

import math

import numpy as np
import pytest

from shindan.core.evidence.phases import Forecast
from shindan.logs.forecast import forecast, reach
from shindan.logs.phases import log_time, phases
from tests.logs.curves import Array, at_hand, noise, steps, table
from tests.reference.real import real


def seen(x: Array, y: Array, at: float, lr: Array | None = None) -> Forecast:
    found = phases("loss", "update", x, y)
    assert found is not None
    return forecast(found, x, y, at, lr)


@pytest.mark.parametrize("column", ["train_loss", "val_ppl"])
def test_report_4_from_epoch_30_holds_epoch_50(column: str) -> None:
    given = table("report4_advanced")
    values = given[column] if column == "train_loss" else np.log(given[column])
    past = given["epoch"] <= 30
    told = seen(given["epoch"][past], values[past], 50)
    assert told.refusal is None
    assert told.low < values[-1] < told.high
    assert told.high - told.low < 1.5
    assert told.origins >= 1


def test_no_further_than_the_last_phase_has_lasted() -> None:
    given = table("report4_advanced")
    past = given["epoch"] <= 30
    told = seen(given["epoch"][past], given["train_loss"][past], 100)
    assert told.refusal is not None
    assert told.refusal.key == "forecast-far"
    assert 50 < float(told.refusal.values["until"]) < 60


@pytest.mark.parametrize("rho", [0.0, 0.7])
@pytest.mark.parametrize("form", ["power", "exponential"])
def test_intervals_hold_nine_of_ten(form: str, rho: float) -> None:
    t = steps(1500)
    curve = 2 + 6 * t**-0.3 if form == "power" else 3 + 4 * np.exp(-t / 300)
    inside = 0
    for seed in range(40):
        y = curve + noise(1500, rho, 0.05, seed)
        told = seen(t[:1000], y[:1000], 1500)
        assert told.refusal is None, told.refusal
        inside += told.low <= y[-50:].mean() <= told.high
    assert inside >= 32  # of 40; at 90 % two standard errors below 36


def test_what_cannot_be_forecast_is_refused() -> None:
    t = steps(400)
    y = 3 + 5 * t**-0.3 + noise(400, 0.0, 0.02, 0)
    speeding = 3 + 4 * np.exp(-t / 1500) + noise(400, 0.0, 0.01, 0)
    rising = np.where(t > 250, y + 0.01 * (t - 250), y)
    for told, key in (
        (seen(t, rising, 450), "forecast-rising"),
        (seen(t, speeding, 450), "forecast-speeding"),
        (seen(t, np.where(t == 400, np.nan, y), 450), "forecast-not-finite"),
        (seen(t, y, 450, lr=1e-3 * (1 - t / 500)), "forecast-decaying"),
        (seen(t, y, 450, lr=1e-3 * t / 500), "forecast-warming"),
        (seen(t, y, 450, lr=np.full(400, 1e-3)), None),
        (seen(t, y, 450, lr=1e-3 * np.minimum(1, t / 40)), None),
    ):
        assert (told.refusal and told.refusal.key) == key


def test_when_it_will_pass_a_value() -> None:
    t = steps(1000)
    y = 2 + 6 * t**-0.3 + noise(1000, 0.0, 0.01, 0)
    found = phases("loss", "update", t, y)
    assert found is not None
    will = reach(found, t, y, 2 + 6 * 1200**-0.3)
    assert will.answer == "yes"
    assert will.first is not None
    assert will.last is not None
    assert 1000 < will.first <= 1200 <= will.last < 1500
    for target, answer in ((3.5, "already"), (0.5, "no"), (2.6, "open")):
        told = reach(found, t, y, target)
        assert told.answer == answer
    refused = reach(found, t, np.where(t == 1000, math.inf, y), 2.0).refusal
    assert refused is not None
    assert refused.key == "forecast-not-finite"


def test_the_hidden_last_third_of_logs_at_hand() -> None:
    """Two of the three that miss had their learning rate lowered in the hidden part."""
    real("logs")
    inside, made = [], []
    for name, x, y in at_hand():
        order = np.argsort(x, kind="stable")
        x, y = x[order], y[order]
        past = x <= x[0] + (x[-1] - x[0]) * 2 / 3
        found = phases(name, "update", x[past], y[past])
        assert found is not None
        told = forecast(found, x[past], y[past], float(x[-1]))
        if told.refusal is None:
            made.append(name)
            u = log_time(x)
            end = u > u[-1] - (u[-1] - u[past][-1]) / 8
            if told.low <= y[end].mean() <= told.high:
                inside.append(name)
    assert len(made) >= 12
    assert len(inside) >= 0.6 * len(made)
