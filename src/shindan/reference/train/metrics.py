"""Numbers of the run: lines of JSON (``metrics.jsonl``), TensorBoard, a plot of the curves."""

import importlib.util
import json
import math
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from shindan.reference.train.errors import TrainError

NAME = "metrics.jsonl"
Line = dict[str, Any]


class Metrics:
    """Writes every line at once, so that a killed run loses none."""

    def __init__(self, folder: Path, done: int, tensorboard: bool) -> None:
        """``done``: updates of the checkpoint gone on from; lines after it are written again."""
        kept = [line for line in read(folder) if line["update"] <= done]
        partial = folder / f"{NAME}.partial"
        partial.write_text("".join(map(_json, kept)), encoding="utf-8")
        partial.replace(folder / NAME)
        self.file = (folder / NAME).open("a", encoding="utf-8")
        self.board = _board(folder, done) if tensorboard else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.file.close()
        if self.board is not None:
            self.board.close()

    def tell(self, line: Line) -> None:
        """One line; numbers also go to TensorBoard under their names."""
        self.file.write(_json(line))
        self.file.flush()
        if self.board is not None:
            for name, value in line.items():
                if name != "update" and isinstance(value, int | float):
                    self.board.add_scalar(f"{line['kind']}/{name}", value, line["update"])


def read(folder: Path) -> list[Line]:
    """All lines of a run; one cut short by a kill is left out."""
    path = folder / NAME
    if not path.exists():
        return []
    found = []
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            found.append(json.loads(text))
        except ValueError:
            continue
    return found


def plot(folder: Path, wanted: bool | None) -> Path | None:
    """``curves.png``: loss, learning rate and gradient norm over the updates."""
    if wanted is False or (wanted is None and importlib.util.find_spec("matplotlib") is None):
        return None
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise TrainError("needs-extra", what="plot=true", package="matplotlib") from error
    lines = read(folder)
    train = [line for line in lines if line["kind"] == "train"]
    valid = [line for line in lines if line["kind"] == "validation"]
    figure = Figure(figsize=(8, 8), layout="constrained")
    losses, rates, norms = figure.subplots(3, 1, sharex=True)
    losses.plot([x["update"] for x in train], [_number(x["loss"]) for x in train], label="training")
    losses.plot(
        [x["update"] for x in valid], [_number(x["loss"]) for x in valid], "o-", label="validation"
    )
    losses.set_ylabel("loss (nats per label)")
    losses.legend()
    rates.plot([x["update"] for x in train], [x["lr"] for x in train])
    rates.set_ylabel("learning rate as used")
    norms.semilogy([x["update"] for x in train], [_number(x["grad_norm"]) for x in train])
    norms.set_ylabel("gradient norm before clipping")
    norms.set_xlabel("update")
    figure.savefig(folder / "curves.png", dpi=110)
    return folder / "curves.png"


def perplexity(loss: float) -> float:
    """exp, infinite where that is too large to hold."""
    return math.exp(loss) if loss < 700 else math.inf


def _number(value: float | str) -> float:
    return float(value)


def _json(line: Line) -> str:
    """Numbers that are not finite are strings: JSON has none."""
    plain = {
        k: str(v) if isinstance(v, float) and not math.isfinite(v) else v for k, v in line.items()
    }
    return json.dumps(plain, ensure_ascii=False) + "\n"


def _board(folder: Path, done: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise TrainError("needs-extra", what="tensorboard=true", package="tensorboard") from error
    return SummaryWriter(str(folder / "tensorboard"), purge_step=done + 1)
