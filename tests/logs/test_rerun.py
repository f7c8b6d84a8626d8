"""The fair rerun of the second run."""

import pytest

from shindan.core.evidence.pairs import Facts
from shindan.logs.rerun import rerun

FIRST = Facts(batch=32, rate=1e-4, seed=1, spent=(("updates", 43065.0),))


@pytest.mark.parametrize(
    ("command", "wanted"),
    [
        (None, "batch_size=32 learning_rate=0.0001 max_updates=43065"),
        ("shindan train new-llm layers=12",
         "shindan train new-llm layers=12 batch_size=32 learning_rate=0.0001 max_updates=43065"),
        ("python main.py --cuda --batch_size 512 --lr 8e-4 --max-steps=5000",
         "python main.py --cuda --batch_size 32 --lr 0.0001 --max-steps=43065"),
        ("python main.py --batch-size 512 --epochs 12",
         "python main.py --batch-size 32 --epochs 12 # learning_rate=0.0001 max_updates=43065"),
        ("train.py optim.lr=8e-4 data.batch_size=512",
         "train.py optim.lr=0.0001 data.batch_size=32 # max_updates=43065"),
        ("it's broken", "it's broken # batch_size=32 learning_rate=0.0001 max_updates=43065"),
    ],
)  # fmt: skip
def test_the_command(command: str | None, wanted: str) -> None:
    second = Facts(batch=512, rate=8e-4, command=command, spent=(("updates", 5000.0),))
    assert rerun(FIRST, second) == wanted


def test_what_is_equal_needs_no_rerun() -> None:
    second = Facts(batch=32, rate=1.02e-4, seed=2, spent=(("updates", 43000.0),))
    assert rerun(FIRST, second) == ""
    assert rerun(FIRST, Facts(command="python main.py")) == ""
