"""Lines as the training programs of the world print them: their step, their loss, their parts.

Each is a few lines typed in the shape of one program; the numbers are made up.
"""

# ruff: noqa: E501 (lines of logs are as long as they are)

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from shindan.core.errors import ShindanError
from shindan.logs.judged import Judged, judged
from shindan.logs.reading import read

ROWS = 24
PER_EPOCH = 12


def loss(i: int) -> float:
    return 2 + 8 * math.exp(-i / 8) + 0.05 * ((7 * i) % 5 - 2)


def log(room: Path, lines: list[str], name: str = "train.log", ends: str = "\n") -> Judged:
    path = room / name
    path.write_bytes(ends.join(lines).encode())
    (table,) = read(path)
    return judged(table)


STEPS: dict[str, Callable[[int], str]] = {
    "torchtune": lambda i: f"Step {i} | loss:{loss(i)} lr:1e-5 tokens_per_second_per_gpu:99.5",
    "NeMo": lambda i: f"Training epoch 0, iteration {i}/99 | lr: 1e-05 | global_step: {i} | "
    f"reduced_train_loss: {loss(i):.4f} | consumed_samples: {8 * i}",
    "NeMo's bar": lambda i: f"Epoch 0: :   {i}%|          | {i}/100 [00:10<10:00, v_num=0, "
    f"reduced_train_loss={loss(i):.4f}, global_step={i}.000]",
    "litgpt": lambda i: f"Epoch 1 | iter {4 * i} step {i} | loss train: {loss(i):.4f}, val: n/a | "
    "iter time: 123.45 ms (step) remaining time: 1:23:45",
    "MaxText": lambda i: f"completed step: {i}, seconds: 1.234, TFLOP/s/device: 100.1, "
    f"total_weights: 65536, loss: {loss(i):.4f}",
    "Nanotron": lambda i: f"11/05/2023 10:22:{i:02} [INFO|DP=0|PP=0|TP=0|ip-26]: iteration: {i} / 99 "
    f"| consumed_tokens: {i}.05M | lm_loss: {loss(i):.4f} | lr: 1e-05",
    "XTuner": lambda i: f"01/02 10:00:{i:02} - mmengine - INFO - Iter(train) [  {i}/100]  "
    f"lr: 1.0e-04  eta: 1:00:00  memory: 1234  loss: {loss(i):.4f}",
    "clu": lambda i: f"I0102 10:22:{i:02}.123456 1398 logging_writer.py:48] [{i}] "
    f"learning_rate=1e-4, loss={loss(i):.4f}",
    "GPT-NeoX": lambda i: f" samples/sec: 1.2 | iteration {i:8}/  320000 | lm_loss: {loss(i):.6E} | "
    "loss scale: 4096.0 | number of skipped iterations:   0 | number of nan iterations:   0 |",
    "llama.cpp": lambda i: f"train_opt_callback: iter={i:6} sample={8 * i + 1}/1000 sched=0.01 "
    f"loss={loss(i):.6f} dt=00:00:12 eta=01:00:00 |->",
    "TensorFlow": lambda i: f"INFO:tensorflow:loss = {loss(i)}, step = {i} (12.345 sec)",
    "MindSpore": lambda i: f"epoch: 1 step: {i}, loss is {loss(i):.4f}",
    "ms-swift": lambda i: f"{{'loss': {loss(i):.4f}, 'epoch': {i / 30:.2f}, "
    f"'global_step/max_steps': '{i}/1000', 'percentage': '{i / 10:.2f}%'}}",
    "Ray": lambda i: f"\x1b[36m(RayTrainWorker pid=1234, ip=10.0.0.1)\x1b[0m step {i} "
    f"loss {loss(i):.4f}",
    "torchrun": lambda i: f"[rank0]: step {i} loss {loss(i):.4f}",
    "srun": lambda i: f"0: step {i} loss {loss(i):.4f}",
    "tqdm's postfix": lambda i: f"{i}%|█         | {i}/100 [00:01<00:09,  9.8it/s, "
    f"loss=tensor({loss(i):.4f}, device='cuda:0')]",
    "torchtune's bar": lambda i: f"1|{i}|Loss: {loss(i)}:   {i}%|█  | {i}/100 [00:01<00:09,  1.2it/s]",
    "Japanese": lambda i: f"ステップ：{i}　損失：{loss(i):.4f}　学習率：1e-4",
    "Chinese": lambda i: f"第{i}步 训练损失: {loss(i):.4f} 验证损失: {loss(i) + 1:.4f}",
    "XLM": lambda i: f"INFO - 10/04/19 14:41:{i:02} - 0:11:11 - {i:7} -   56.12 sent/s -  2143.80 "
    f"words/s - MLM-en:  {loss(i):.4f} -  - model LR: 3.8795e-06",
    "Annotated Transformer": lambda i: f"Epoch Step: {i:6} | Accumulation Step: {i // 10:3} | "
    f"Loss: {loss(i):8.4f} | Tokens / Sec: {1000.5:7.1f} | Learning Rate: 1.0e-04",
    "PyTorch's tutorial": lambda i: f"{i}m 5s (- 9m 0s) ({i} {i}%) {loss(i):.4f}",
    "bare pairs": lambda i: f"{i} {loss(i)}",
    "bare pairs, commas": lambda i: f"{i},{loss(i)}",
}  # fmt: skip


@pytest.mark.parametrize("ends", ["\n", "\r"])
@pytest.mark.parametrize("writer", STEPS)
def test_steps_and_losses(writer: str, ends: str, tmp_path: Path) -> None:
    found = log(tmp_path, [STEPS[writer](i) for i in range(ROWS)], ends=ends)
    x, y = found.axis.x, found.roles.get(found.table, "loss")
    assert found.axis.unit == "step"
    assert x.tolist() == list(range(ROWS))
    assert y is not None
    assert y.tolist() == pytest.approx([loss(i) for i in range(ROWS)], abs=1e-4)


EPOCHS: dict[str, Callable[[int, int], str]] = {
    "minimind": lambda e, b: f"Epoch:[{e + 1}/2]({b * 100}/1200) loss:{loss(12 * e + b):.4f} lr:1e-4",
    "ESPnet": lambda e, b: f"[host] 2021-01-01 1{e}:00:{b:02},123 (trainer:737) INFO: "
    f"{e + 1}epoch:train:{100 * b + 1}-{100 * b + 100}batch: iter_time=0.001, "
    f"loss_ctc=61.2, loss={loss(12 * e + b):.4f}, optim0_lr0=1.2e-04",
    "mmengine": lambda e, b: f"2023/01/01 10:00:{b:02} - mmengine - INFO - Epoch(train)  [{e + 1}]"
    f"[ {100 * b}/1200]  lr: 1.0e-04  eta: 1:00:00  loss: {loss(12 * e + b):.4f}",
    "timm": lambda e, b: f"Train: {e} [{100 * b:>4d}/1200 ({8 * b:>3d}%)]  "
    f"Loss: {loss(12 * e + b):>9.6f} (2.5)  LR: 1.000e-04",
    "CIFAR tutorial": lambda e, b: f"[{e + 1}, {100 * b:5}] loss: {loss(12 * e + b):.4f}",
    "Lightning's bar": lambda e, b: f"Epoch {e}:  {8 * b}%|███ | {100 * b}/1200 "
    f"[00:10<00:00, 9.9it/s, loss={loss(12 * e + b):.4f}, v_num=0]",
    "Keras": lambda e, b: f"{100 * b:4}/1200 [==>...........] - ETA: 3s - loss: "
    f"{loss(12 * e + b):.4f}",
}  # fmt: skip


@pytest.mark.parametrize("writer", EPOCHS)
def test_steps_of_an_epoch_are_counted_on(writer: str, tmp_path: Path) -> None:
    lines = []
    for e in range(2):
        lines += [f"Epoch {e + 1}/2"] if writer == "Keras" else []
        lines += [EPOCHS[writer](e, b) for b in range(PER_EPOCH)]
    found = log(tmp_path, lines)
    x, y = found.axis.x, found.roles.get(found.table, "loss")
    assert found.axis.unit == "step"
    assert y is not None
    rows = found.table.present[found.roles.columns["loss"]]
    first = 1 if writer == "ESPnet" else 0
    assert (x[rows] - first).tolist() == [100 * i for i in range(2 * PER_EPOCH)]
    assert y[rows].tolist() == pytest.approx([loss(i) for i in range(ROWS)], abs=1e-4)
    assert found.axis.progress.returns == ()


def test_keras_draws_over_its_line_with_backspaces(tmp_path: Path) -> None:
    lines = []
    for e in range(ROWS):
        states = [f"{b}/100 [=>...] - ETA: 3s - loss: {loss(e) + 1:.4f}" for b in (1, 50)]
        states.append(f"100/100 [=====] - 3s 30ms/step - loss: {loss(e):.4f} - val_loss: 3.5")
        lines += [f"Epoch {e + 1}/{ROWS}", ("\b" * 40 + "\r").join(states)]
    found = log(tmp_path, lines)
    assert found.table.present["loss"].sum() == 3 * ROWS
    assert found.table.present["val_loss"].sum() == ROWS
    assert found.axis.progress.last == 100 * ROWS


def test_build_nanogpt_names_its_losses_by_their_part(tmp_path: Path) -> None:
    lines = ["0 val 10.9", "0 hella 0.2463", *(f"{i} train {loss(i):.6f}" for i in range(ROWS))]
    found = log(tmp_path, [*lines, f"{ROWS} val 3.5", f"{ROWS} hella 0.2612"], "log.txt")
    assert found.roles.columns == {"loss": "train", "validation": "val", "step": "index"}
    assert found.axis.progress.last == ROWS - 1


@pytest.mark.parametrize(("first", "last"), [(0.5, 0.9), (1e-4, 1e-5), (50, 90.5)])
def test_what_may_be_an_accuracy_or_a_rate_is_no_loss(
    first: float, last: float, tmp_path: Path
) -> None:
    """``train`` and bare numbers are losses only where they begin and go as losses do."""
    values = [first + (last - first) * i / ROWS for i in range(ROWS)]
    for lines in ([f"{i} train {v:.7f}" for i, v in enumerate(values)],
                  [f"{i} {v:.7f}" for i, v in enumerate(values)]):  # fmt: skip
        assert "loss" not in log(tmp_path, lines).roles.columns


def test_bare_pairs_between_other_lines(tmp_path: Path) -> None:
    """As yanmtt prints them; the loss becomes NaN, so it need not have fallen."""
    lines = [f"{i} {loss(30) if i < 990 else math.nan}" for i in range(900, 1000, 10)]
    lines[7:7] = ["Saving the model", "Loading from checkpoint"]
    lines[3:3] = ["BLEU score after 930 iterations is 2.1 for language hi", "BLEU score improved"]
    found = log(tmp_path, lines)
    assert (found.roles.columns, found.roles.why["loss"]) == ({"loss": "1", "step": "0"}, "behaves")
    assert (found.axis.progress.first, found.axis.progress.last) == (900, 990)


def test_a_column_of_losses(tmp_path: Path) -> None:
    lines = [f"{loss(i)}" for i in range(ROWS)]
    assert log(tmp_path, lines, "losses.txt").roles.columns == {"loss": "losses"}
    with pytest.raises(ShindanError):
        log(tmp_path, lines[:4], "losses.txt")


def test_bare_numbers_are_data_where_a_line_measures(tmp_path: Path) -> None:
    lines = [f"step {i} loss {loss(i):.4f}" for i in range(ROWS)]
    found = log(tmp_path, [*lines, *(f"{i} {2 * i}" for i in range(99))])
    assert set(found.table.columns) == {"step", "loss"}


def test_micro_steps_are_counted_where_updates_stand_still(tmp_path: Path) -> None:
    """litgpt, four micro-steps an update: no row is one that came again."""
    lines = [f"iter {i} step {i // 4}: loss {loss(i):.4f}, iter time: 123.4ms" for i in range(ROWS)]
    found = log(tmp_path, lines)
    assert found.roles.columns["step"] == "iter"
    assert found.axis.progress.rows == ROWS


def test_llama_factory(tmp_path: Path) -> None:
    lines = [
        f'{{"current_steps": {i}, "total_steps": 600, "loss": {loss(i):.4f}, "epoch": {i / 30:.2f}, '
        f'"percentage": {i / 6:.2f}}}'
        for i in range(ROWS)
    ]
    found = log(tmp_path, lines, "trainer_log.jsonl")
    assert found.roles.columns == {"loss": "loss", "step": "current_steps", "epoch": "epoch"}
    assert found.axis.progress.planned == 600


def test_the_length_of_an_epoch_is_no_plan(tmp_path: Path) -> None:
    lines = [f"Epoch:[1/2]({b * 100}/4200) loss:{loss(b):.3f}" for b in range(PER_EPOCH)]
    assert log(tmp_path, lines).axis.progress.planned is None
    lines = [f"step {b}/4200 loss:{loss(b):.3f}" for b in range(PER_EPOCH)]
    assert log(tmp_path, lines).axis.progress.planned == 4200


def test_a_loss_scale_is_no_loss(tmp_path: Path) -> None:
    lines = [
        f" iteration {i:8}/    1000 | learning rate: 1.0E-04 | loss scale: {2.0 ** (32 - i)} | "
        f"number of nan iterations:   0 |" for i in range(ROWS)
    ]  # fmt: skip
    found = log(tmp_path, lines)
    assert found.roles.columns == {
        "step": "iteration", "lr": "learning rate", "scale": "loss scale"
    }  # fmt: skip
    assert found.table.columns["number of nan iterations"].tolist() == [0] * ROWS


def checks(found: Judged) -> tuple[list[float], list[float]]:
    """Where the validations stand, and their losses."""
    values = found.roles.get(found.table, "validation")
    assert values is not None
    rows = found.table.present[found.roles.columns["validation"]]
    return found.axis.x[rows].tolist(), values[rows].tolist()


@pytest.mark.parametrize(
    "said",
    [
        "validation loss at iteration {i} | LM loss: {v} | LM PPL: {ppl}",
        "validation loss at iteration {i} on validation set | lm loss value: {v} | lm loss PPL: {ppl}",
        "validation results at iteration {i} | lm_loss value: {v} | lm_loss_ppl value: {ppl} |",
    ],
)
def test_where_megatron_validated_is_not_what_it_measured(said: str, tmp_path: Path) -> None:
    lines = []
    for i in range(1, ROWS):
        lines.append(f" iteration {i:8}/    3000 | lm loss: {loss(i):.6E} | loss scale: 64.0 |")
        if i % 8 == 0:
            ppl = f"{math.exp(loss(i)):.6E}"
            lines += ["-" * 80, " " + said.format(i=i, v=f"{loss(i):.6E}", ppl=ppl), "-" * 80]
    found = log(tmp_path, lines)
    at, values = checks(found)
    assert at == [8, 16]
    assert values == pytest.approx([loss(8), loss(16)], rel=1e-6)
    assert found.roles.columns["loss"] in ("lm loss", "lm_loss")


def test_a_count_between_a_name_and_its_value(tmp_path: Path) -> None:
    """As Tacotron prints it."""
    lines = []
    for e in range(1, ROWS):
        lines += [f"Epoch: {e}", f"Validation loss {526 * e}:  {loss(e):.6f}  "]
        lines += [f"Saving model and optimizer state at iteration {526 * e} to model.pt"]
    found = log(tmp_path, lines)
    assert found.axis.progress.last == 526 * (ROWS - 1)
    assert found.table.columns["Validation loss"][1] == pytest.approx(loss(1))


def test_the_share_of_a_bar_is_no_value(tmp_path: Path) -> None:
    lines = []
    for e in range(1, ROWS):
        lines.append(f"epoch {e}: 100%|███| 153/153 [00:03<00:00, 44.53it/s, loss={loss(e):.4f}]")
        lines.append(f"valid: 100%|███| 39/39 [00:00<00:00, 116.60it/s, loss={loss(e) + 1:.4f}]")
    found = log(tmp_path, lines)
    assert found.roles.columns["validation"] == "valid loss"
    assert checks(found)[1] == pytest.approx([loss(e) + 1 for e in range(1, ROWS)], abs=1e-4)
    assert found.table.present["loss"].sum() == ROWS - 1


def test_batches_of_an_epoch_behind_a_comma(tmp_path: Path) -> None:
    """As OpenNMT-py printed them first; only perplexities."""
    lines = [
        f"Epoch {1 + i // 12:2}, {50 * (i % 12):5}/  600; acc:   0.00; ppl: {math.exp(loss(i)):.4f}; "
        f"6121 src tok/s;      4 s elapsed" for i in range(ROWS)
    ]  # fmt: skip
    found = log(tmp_path, lines)
    assert found.axis.x.tolist() == [50 * i for i in range(ROWS)]
    assert found.roles.why["loss"] == "derived"


def test_a_rate_counts_no_epochs(tmp_path: Path) -> None:
    lines = []
    for e in range(1, ROWS):
        lines += [f"Epoch {e}/{ROWS}", f"100/100 - 3s - loss: {loss(e):.4f} - 3s/epoch - 30ms/step"]
    found = log(tmp_path, lines)
    assert found.roles.columns["epoch"] == "Epoch"
    assert found.axis.unit == "epoch"


def test_a_nan_that_has_no_name_is_said(tmp_path: Path) -> None:
    """A batch's value printed by itself between the means, which leave it out."""
    lines = [f"epoch {i} train/loss {loss(i):.4f}" for i in range(0, 40, 2)]
    found = log(tmp_path, [*lines[:5], "nan", "  nan", *lines[5:], "nan"]).table
    assert [(r.key, r.values) for r in found.lost] == [
        ("log-numbers-nameless", {"count": 2, "line": 6})
    ]
    assert not log(tmp_path, [*lines[:5], "2.5", *lines[5:]]).table.lost
