"""Windows that decide and that do not; stretches at known lines."""

import math

import numpy as np
import pytest

from shindan.logs.knownlines import at_lines
from shindan.logs.phases import phases
from shindan.logs.window import window
from tests.logs.curves import noise, records, steps, table
from tests.reference.real import real


def test_the_window_of_report_2_cannot_decide() -> None:
    told = window("loss", "update", *records(real("logs/phase8/report.json")))
    assert told is not None
    assert not told.decides
    assert told.slope.t_independent == pytest.approx(0.31, abs=0.005)
    assert told.slope.change / told.span == pytest.approx(0.0006, abs=0.00005)
    assert 30 < told.needed < 150


def test_the_window_before_it_falls() -> None:
    told = window("loss", "update", *records(real("logs/phase8/before.json")))
    assert told is not None
    assert told.decides
    assert told.slope.t_independent == pytest.approx(-4.4, abs=0.05)
    assert told.slope.change / told.span == pytest.approx(-0.0020, abs=0.00005)


def test_so_many_further_updates_do_decide() -> None:
    """A fall of 1 % in 100 updates: unseen in 60, seen in what was said to be needed."""
    found = []
    for seed in range(20):
        y = 9 - 0.0009 * steps(600) + noise(600, 0.3, 0.25, seed)
        told = window("loss", "update", steps(60), y[:60])
        assert told is not None
        if told.decides:
            continue
        n = 60 + math.ceil(told.needed)
        later = window("loss", "update", steps(n), y[:n])
        assert later is not None
        found.append(later.slope.high < 0)
    assert len(found) >= 5
    assert sum(found) >= 0.5 * len(found)


def test_long_and_flat_decides() -> None:
    told = window("loss", "update", steps(2000), 5 + noise(2000, 0.5, 0.1, 0))
    assert told is not None
    assert told.decides
    assert window("loss", "update", steps(29), noise(29, 0.0, 1.0, 0)) is None


def test_a_log_at_ln_32000() -> None:
    found = phases("loss", "update", steps(300), math.log(32000) + noise(300, 0.0, 0.02, 0))
    assert found is not None
    (line,) = at_lines(found)
    assert (line.line, line.given, line.begins, line.ends) == ("uniform", False, True, True)
    assert 32000 in line.vocabularies[:2]
    (line,) = at_lines(found, [32000])
    assert line.given
    assert line.vocabularies == (32000,)
    assert list(at_lines(found, [50257])) == []


@pytest.mark.parametrize("sd", [0.02, 0.2])
def test_a_noisy_log_at_ln_32000(sd: float) -> None:
    """Whether its phases are told as standing or as going nowhere."""
    for seed in range(5):
        y = math.log(32000) + noise(300, 0.5, sd, seed)
        found = phases("loss", "update", steps(300), y)
        assert found is not None
        (line,) = at_lines(found, [32000])
        assert line.ends


def test_a_healthy_log_stands_at_no_line() -> None:
    t = steps(3000)
    for floor in (math.log(256), math.log(65), 3.0):
        y = floor + (math.log(50257) - floor) * np.exp(-t / 100) + noise(3000, 0.3, 0.02, 1)
        found = phases("loss", "update", t, y)
        assert found is not None
        assert list(at_lines(found)) == []


def test_the_plateau_of_report_4_is_the_unigram_model() -> None:
    """4.2 nats is about the entropy of WikiText-2 cut to 1,000 words (SYSTEMS.md, report 4)."""
    given = table("report4_advanced")
    found = phases("train_loss", "epoch", given["epoch"], given["train_loss"])
    assert found is not None
    (line,) = at_lines(found, [1000], unigram=4.2)
    assert (line.line, line.last, line.ends) == ("unigram", 16, False)
