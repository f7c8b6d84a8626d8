"""LogBERT (Guo, Yuan and Wu 2021) on sessions of log keys: what report 1 should have been.

Two losses from the first update on: cross-entropy of the masked keys, and ``sphere`` times the
squared distance of [DIST] from the centre of the training sessions. No session is dropped for being
short: each ends with a key of its own, so that one cut off is seen to be.
"""

import json
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from shindan.reference.data.collate import padded
from shindan.reference.data.errors import DataError
from shindan.reference.data.logs import LogKeys
from shindan.reference.data.order import generator, order
from shindan.reference.data.sessions import FIRST_KEY, MASK, PAD, KeyVocabulary, Session
from shindan.reference.data.tokenizers import Ids
from shindan.reference.models.logbert import LogBert
from shindan.reference.recipes.detector import Detector
from shindan.reference.recipes.log_sources import Cutting, LogSettings, sessions_of
from shindan.reference.recipes.recipe import TINY, Recipe, Said
from shindan.reference.recipes.text import fits, in_batches, numbered
from shindan.reference.train.errors import TrainError
from shindan.reference.train.objectives import cross_entropy, with_places
from shindan.reference.train.ranks import Ranks
from shindan.reference.train.task import IGNORE, Batch, Sums, Task

SPLIT_SEED = 0
"""Of the validation sessions: the same for every seed of training."""
CENTRED_ON = 2048
"""Training rows that the centre is the mean of, at most; taken evenly."""
KEPT, TEMPLATES = "sessions.json", "templates.json"


class SphereObjective(nn.Module):
    """MLKP + alpha x VHM (section III-C); the mean distance is told as ``sphere``."""

    def __init__(self, model: LogBert, weight: float) -> None:
        super().__init__()
        self.model, self.weight = model, weight

    def forward(self, batch: Batch) -> Sums:
        """Sums over masked keys of a batch of ids, mask, labels, places.

        The distance is a mean over sessions: times the number of keys, it is so again after the
        division by that number.
        """
        hidden = self.model.encode(batch["ids"], batch["mask"])
        places = batch["places"]
        logits = self.model.head(hidden.flatten(0, 1)[places])
        sums = cross_entropy(logits, batch["labels"].flatten()[places], 0.0)
        sphere = self.model.distances(hidden).mean() * len(places)
        loss, keys = sums["loss"] + self.weight * sphere, sums["loss"]
        return {**sums, "loss": loss, "nll": keys, "sphere": sphere}


def task(settings: LogSettings, folder: Path, ranks: Ranks) -> Task:
    """Sessions as rows of [DIST], keys and their end, masked anew each time they come."""
    fits(8, settings.model.max_positions)
    if ranks.world > 1 and settings.parallel == "fsdp":  # the centre needs the whole model
        raise TrainError("not-sharded", recipe="logbert")
    sessions, cutting = sessions_of(settings)
    train, kept_out = parts(sessions, settings.validation_share)
    if ranks.first:
        keep(folder, KeyVocabulary.of(train), cutting, kept_out)
    ranks.gathered(None)  # wait for the files
    net = model(settings, folder)
    detector = Detector(net, kept(folder)[0], settings.ordered)
    rows, kept_rows = (
        [piece.row for one in some for piece in detector.pieces(one)] for some in (train, kept_out)
    )
    chosen = numbered(rows, settings)

    def batch(some: list[Ids], *numbers: int) -> Batch:
        ids, mask = padded(some, PAD, settings.model.max_positions if settings.compile else None)
        inputs, labels = masked(ids, settings.mask_rate, generator(*numbers))
        return with_places({"ids": inputs, "mask": mask, "labels": labels})

    def recentre(_: int = 0) -> None:
        device, every = net.centre.device, rows[:: -(-len(rows) // CENTRED_ON)]
        made = (padded(some, PAD) for some in in_batches(every, settings.evaluation_batch_size))
        net.recentre((ids.to(device), mask.to(device)) for ids, mask in made)

    recentre()  # before the first update: the sphere counts from then on
    validation = [
        batch(some, 0, 2, number)
        for number, some in enumerate(in_batches(kept_rows, settings.evaluation_batch_size))
    ]
    return Task(
        net,
        SphereObjective(net, settings.sphere),
        len(rows),
        lambda number: batch(chosen(number), settings.seed, 1, number),
        validation,
        after=recentre,
    )


def parts(sessions: list[Session], share: float) -> tuple[list[Session], list[Session]]:
    """Normal sessions to train on and to set limits on, drawn one by one.

    Equal sessions may be on both sides: their share there is what it is among sessions to come,
    and so a limit that lets through so many of these lets through so many of those.
    """
    normal = [one for one in sessions if not one.anomalous]
    count = max(1, round(share * len(normal)))
    if count >= len(normal):
        raise DataError("too-few-documents", documents=len(normal))
    drawn = order(len(normal), SPLIT_SEED, 0)
    return [normal[i] for i in sorted(drawn[count:])], [normal[i] for i in sorted(drawn[:count])]


def masked(ids: Tensor, rate: float | None, chance: torch.Generator) -> tuple[Tensor, Tensor]:
    """(inputs, labels) of a batch.

    Chosen keys are all hidden, none is replaced by another: what is read as context when anomalies
    are looked for is what is there.
    """
    shares = torch.rand((len(ids), 1), generator=chance) if rate is None else rate
    chosen = (torch.rand(ids.shape, generator=chance) < shares) & (ids >= FIRST_KEY)
    return ids.masked_fill(chosen, MASK), ids.masked_fill(~chosen, IGNORE)


def keep(
    folder: Path, vocabulary: KeyVocabulary, cutting: Cutting, validation: list[Session]
) -> None:
    """What using the run needs: its keys, how sessions are cut, those that limits are set on."""
    if cutting.templates is not None:
        cutting.templates.save(folder / TEMPLATES)
    content = {
        "keys": vocabulary.keys,
        "session": cutting.pattern,
        "window": cutting.window,
        "validation": [one.keys for one in validation],
    }
    (folder / KEPT).write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def kept(folder: Path) -> tuple[KeyVocabulary, Cutting, list[Session]]:
    """What :func:`keep` wrote."""
    content = json.loads((folder / KEPT).read_text(encoding="utf-8"))
    templates = LogKeys.load(folder / TEMPLATES) if (folder / TEMPLATES).exists() else None
    cutting = Cutting(templates, content["session"], content["window"])
    validation = [Session(tuple(keys)) for keys in content["validation"]]
    return KeyVocabulary(tuple(content["keys"])), cutting, validation


def model(settings: LogSettings, folder: Path) -> LogBert:
    """The model, of the run's keys."""
    return LogBert(replace(settings.model, vocab_size=len(kept(folder)[0])))


SIZES: dict[str, dict[str, object]] = {
    TINY: {
        "model.hidden": 64, "model.layers": 2, "model.heads": 4, "model.intermediate": 256,
        "model.max_positions": 64, "max_updates": 300, "batch_size": 32, "learning_rate": 2e-3,
        "log_every": 10,
    },
    "hdfs": {
        "model.hidden": 64, "model.layers": 2, "model.heads": 4, "model.intermediate": 256,
        "model.max_positions": 512, "ordered": False, "max_updates": 3000, "batch_size": 32,
        "learning_rate": 1e-3, "log_every": 50,
    },
    "paper": {
        "mask_rate": 0.65, "max_updates": 6000, "batch_size": 32, "learning_rate": 1e-3,
        "log_every": 50,
    },
}  # fmt: skip

RECIPE = Recipe(
    name="logbert",
    settings=LogSettings,
    values={"warmup_share": 0.05, "evaluation_batch_size": 128},
    sizes=SIZES,
    task=task,
    model=model,
    about=Said(
        "log anomaly detection by masked log keys and a hypersphere (report 1)",
        "マスクしたログキーと超球によるログ異常検知（報告1）",
    ),
    data=Said(
        "embedded: lines of a made log; real: a log file, or a folder of HDFS sessions",
        "同梱：生成したログ。実データ：ログファイル、または HDFS セッションのフォルダ",
    ),
    expected={
        TINY: Said(
            "validation accuracy 62 % (2 seeds)",
            "検証正解率 62 %（2シード）",
        ),
        "hdfs": Said(
            "F1 97 % at HDFS's natural prevalence (benchmarks/hdfs.py); count vectors have 95 %",
            "HDFS の自然な異常率で F1 97 %（benchmarks/hdfs.py）。件数ベクトルでは 95 %",
        ),
    },
)
