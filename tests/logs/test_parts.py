"""The shares of a difference: their truth is known, they add up, and what is open is said so."""

import math
from dataclasses import replace
from itertools import product

import pytest

from shindan.core.evidence.axes import Axis
from shindan.core.evidence.gap import Gap, Part
from shindan.core.sizes import expected, fits
from shindan.logs.decays import drop
from shindan.logs.pairs import pair
from shindan.logs.sides import Of, Run
from shindan.logs.sweeps import sweeps

from .curves import Array
from .worlds import BEST, BOWL, DECAY, known, level, made


def gap(a: Run, b: Run, *others: Run) -> Gap:
    found = pair(a, b, sweeps((a, b, *others), "training")).gap
    assert found is not None
    return found


def how(found: Gap) -> dict[str, str]:
    return {"+".join(part.of): part.how for part in found.parts}


def inside(part: Part | None, truth: float, slack: float = 0.0) -> bool:
    assert part is not None
    return part.low - slack <= truth <= part.high + slack


CASES = [
    (made("a"), made("b", seed=1)),
    (made("a", 8000), made("b", 2000, seed=1, size=4e8)),
    (made("a", 8000, decay=0.2), made("b", 2000, seed=1, decay=0.2)),
    (made("a", rate=1e-4), made("b", seed=1, size=2e8, batch=512)),
    (known(made("a"), parameters=None), made("b", 3000, seed=1, logged=False)),
    (made("a", decay=0), made("b", seed=1, decay=0)),
]


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("case", range(len(CASES)))
def test_the_shares_add_up(case: int, turned: bool) -> None:
    a, b = CASES[case][::-1] if turned else CASES[case]
    found = gap(a, b)
    assert sum(part.value for part in found.parts) == pytest.approx(found.total, abs=1e-12)
    causes = [cause for part in found.parts for cause in part.of]
    assert len(causes) == len(set(causes))


def test_nothing_differs_but_the_seed() -> None:
    found = gap(made("a"), made("b", seed=1))
    assert how(found) == {
        "budget": "equal", "schedule": "equal", "rate": "equal", "size": "equal", "rest": "left",
    }  # fmt: skip
    assert inside(found.part("rest"), 0.0)


def test_a_larger_model_of_the_same_all_else() -> None:
    found = gap(made("a"), made("b", size=4e8, seed=1))
    size = found.part("size")
    truth = level(4000, 1e8, BEST) - level(4000, 4e8, BEST)
    assert how(found)["size"] == "left"
    assert inside(size, truth)
    assert found.fits == "as"
    assert {e.law for e in found.expected} == {"kaplan", "hoffmann"}


def test_a_size_that_goes_the_wrong_way_is_told() -> None:
    a, b = made("a"), made("b", seed=1)
    found = gap(a, known(made("b", size=2.5e7, seed=1), parameters=4e8))
    assert found.fits == "against"
    assert gap(a, known(b, parameters=4e8)).fits in ("less", "undecided")


def test_budget_alone() -> None:
    found = gap(made("a", 8000, decay=0), made("b", 2000, decay=0, seed=1))
    truth = level(8000, 1e8, BEST) - level(2000, 1e8, BEST)
    budget = found.part("budget")
    assert budget is not None
    assert budget.how == "measured"
    # the level is the mean of the last twentieth of what was spent
    assert inside(budget, truth, slack=0.01)
    assert inside(found.part("rest"), 0.0)


def test_the_decay_is_measured_on_the_run_that_has_decayed() -> None:
    """Both to the end of a short decay; the longer one stands at its peak where they meet."""
    found = gap(made("a", 8000, decay=0.2), made("b", 4000, decay=0.2, seed=1))
    schedule = found.part("schedule")
    assert schedule is not None
    assert schedule.how == "measured"
    # the first run is worse there by what the decay made of the second; the mean of the last
    # twentieth has seven eighths of it
    assert inside(schedule, DECAY * 7 / 8, slack=0.01)
    assert inside(found.part("rest"), 0.0, slack=0.02)
    turned = gap(made("b", 4000, decay=0.2, seed=1), made("a", 8000, decay=0.2))
    assert turned.part("schedule") == pytest.approx(
        replace(schedule, value=-schedule.value), abs=1e-12
    )


def test_a_decay_from_the_peak_on_cannot_be_measured() -> None:
    found = gap(made("a", 8000), made("b", 4000, seed=1))
    assert how(found) == {
        "budget": "measured", "rate": "equal", "size": "equal", "schedule": "left",
    }  # fmt: skip
    notes = [note.key for cause, note in found.notes if cause == "schedule"]
    assert notes == ["gap-schedule-decay", "gap-left"]


def test_intervals_hold_the_truth() -> None:
    """Of twenty pairs of seeds about nineteen; the decay's line bends, so its error is wider."""
    held = [
        inside(gap(made("a", seed=s), made("b", size=2e8, seed=s + 100)).part("size"),
               level(4000, 1e8, BEST) - level(4000, 2e8, BEST))
        for s in range(20)
    ]  # fmt: skip
    assert sum(held) >= 17
    falls = [drop(made("a", decay=0.2, seed=s), "training", "updates", 4000) for s in range(20)]
    good = [f for f in falls if f and abs(f[0] - DECAY * 7 / 8) <= 2 * f[1] + 0.01]
    assert len(good) >= 17


def test_no_decay_is_no_drop() -> None:
    run = made("a", decay=0.2)
    assert drop(run, "training", "updates", 3000) is None
    assert drop(made("a", decay=0), "training", "updates", 4000) is None


def test_rate_and_size_are_not_told_apart_by_two_runs() -> None:
    found = gap(made("a", rate=2 * BEST), made("b", size=4e8, rate=BEST, seed=1))
    assert found.mixed is not None
    assert found.mixed.of == ("rate", "size")
    notes = [note.key for cause, note in found.notes if cause == "rate"]
    assert notes == ["gap-rate-differs", "gap-rate-sweep"]
    assert pair(made("a", rate=2e-3), made("b", size=4e8)).rerun == "learning_rate=0.002"
    # where one thing alone differs, there is nothing to make fair
    assert pair(made("a", rate=2e-3), made("b", seed=1)).rerun == ""


def test_a_sweep_at_one_size_tells_rate_and_size_apart() -> None:
    swept = [made(f"s{i}", rate=r, seed=i) for i, r in enumerate((2.5e-4, 5e-4, BEST, 4e-3))]
    a, b = made("a", rate=2.5e-4, seed=7), made("b", size=4e8, rate=2e-3, seed=8)
    found = gap(a, b, *swept)
    truth = BOWL * (math.log(2.5e-4 / BEST) ** 2 - math.log(2) ** 2)
    assert inside(found.part("rate"), truth)
    assert inside(found.part("size"), level(4000, 1e8, BEST) - level(4000, 4e8, BEST))
    # outside of what was tried nothing is said
    beyond = gap(a, made("b", size=4e8, rate=8e-3, seed=8), *swept)
    assert beyond.mixed is not None


def test_a_sweep_of_batches_tells_batch_and_size_apart() -> None:
    tried = [made(f"b{i}", batch=b, seed=i) for i, b in enumerate((16.0, 64.0, 256.0))]
    a, b = made("a", batch=32.0, seed=7), made("b", size=4e8, batch=128.0, seed=8)
    found = gap(a, b, *tried)
    assert inside(found.part("rate"), 0.0)  # a batch makes nothing in these worlds
    assert inside(found.part("size"), level(4000, 1e8, BEST) - level(4000, 4e8, BEST))


def test_a_sweep_at_another_budget_tells_nothing() -> None:
    swept = [made(f"s{i}", 1000, rate=r, seed=i) for i, r in enumerate((2.5e-4, BEST, 4e-3))]
    found = gap(made("a", rate=2.5e-4, seed=7), made("b", size=4e8, rate=2e-3, seed=8), *swept)
    assert found.mixed is not None


def test_a_run_and_its_beginning() -> None:
    whole = made("whole", 4000, decay=0)
    begun: dict[Of, Array] = {"training": whole.curves["training"][:200]}
    at: dict[Axis, Array] = {"updates": whole.at["updates"][:200]}
    rates = whole.rates[:200] if whole.rates is not None else None
    found = gap(whole, replace(whole, curves=begun, at=at, rates=rates, ordered={}))
    assert how(found) == {"budget": "measured", "rest": "equal"}
    assert found.part("rest") == Part(("rest",), found.total - found.parts[0].value, how="equal")
    assert found.parts[1].value == pytest.approx(0.0, abs=1e-12)


def test_schedules_that_are_said() -> None:
    a, b = (known(made(n, seed=i, logged=False), schedule="cosine") for i, n in enumerate("ab"))
    assert how(gap(a, b))["schedule"] == "equal"
    shorter = known(made("c", 2000, logged=False), schedule="cosine")
    assert how(gap(a, shorter))["schedule"] == "mixed"  # its cosine ended at half of the other's
    linear = known(b, schedule="linear")
    assert how(gap(a, linear))["schedule"] == "left"
    constant = [
        known(made(n, seed=i, logged=False), schedule="constant") for i, n in enumerate("ab")
    ]
    assert how(gap(*constant))["schedule"] == "equal"


def test_other_batches_are_open() -> None:
    found = gap(made("a"), made("b", batch=512, seed=1))
    assert how(found)["rate"] == "left"
    assert how(gap(made("a", batch=None), made("b", batch=None, seed=1)))["rate"] == "mixed"


def test_of_other_scripts_nothing_is_left_to_one_cause() -> None:
    b = replace(made("b", size=4e8, seed=1), script=frozenset({"format jsonl", "loss"}))
    found = gap(made("a"), b)
    assert found.mixed is not None
    assert found.mixed.of == ("size", "other")
    assert dict(found.notes)["other"].key == "gap-other-script"


def test_settings_that_differ_are_named() -> None:
    a = replace(made("a"), settings={"dropout": 0.1, "out_dir": "x", "n_embd": 64})
    b = replace(made("b", seed=1), settings={"dropout": 0.2, "out_dir": "y", "n_embd": 64})
    found = gap(a, b)
    assert dict(found.notes)["other"].values == {"names": "dropout"}
    wide = replace(b, settings={"dropout": 0.1, "out_dir": "y", "n_embd": 128})
    unknown = gap(known(a, parameters=None), known(wide, parameters=None))
    assert ("size", "gap-size-differs") in [(cause, note.key) for cause, note in unknown.notes]


def test_no_common_budget() -> None:
    a = replace(made("a"), at={})
    found = gap(a, made("b", seed=1))
    assert found.axis is None
    assert found.part("budget") is None
    assert found.mixed is not None
    assert "budget" in found.mixed.of


def test_what_is_not_known_is_told() -> None:
    found = gap(known(made("a"), data=None), made("b", seed=1))
    assert found.assumed == ("data",)


@pytest.mark.parametrize(
    ("value", "error", "said"),
    [
        (0.16, 0.002, "as"), (0.06, 0.002, "as"), (0.45, 0.002, "as"), (0.03, 0.005, "less"),
        (0.9, 0.1, "more"), (-0.1, 0.01, "against"), (0.05, 0.05, "undecided"),
        (0.0, 0.001, "less"),
    ],
)  # fmt: skip
def test_sizes_beside_the_laws(value: float, error: float, said: str) -> None:
    laws = expected(3.07, 124475904, 254101504)
    assert [round(law.value, 3) for law in laws] == [0.162, 0.155]
    assert fits(Part(("size",), value, error), laws) == said
    against = [replace(law, value=-law.value) for law in laws]
    assert fits(Part(("size",), -value, error), tuple(against)) == said


def test_laws_hold_where_they_were_measured() -> None:
    assert [law.law for law in expected(3.0, 1e6, 5e6)] == ["kaplan"]
    assert [law.law for law in expected(3.0, 1e9, 7e9)] == ["hoffmann"]
    assert expected(3.0, 1e10, 7e10) == ()


def test_every_pair_of_worlds_adds_up() -> None:
    runs = [run for case in CASES for run in case]
    for a, b in product(runs, runs):
        found = pair(a, b).gap
        assert found is not None
        assert sum(p.value for p in found.parts) == pytest.approx(found.total, abs=1e-12)


def test_equal_updates_of_other_batches_are_other_tokens() -> None:
    a, b = known(made("a"), tokens_per_update=2048.0), known(made("b"), tokens_per_update=32768.0)
    notes = [note.key for cause, note in gap(a, b).notes if cause == "budget"]
    assert notes == ["gap-budget-equal", "gap-budget-tokens"]
