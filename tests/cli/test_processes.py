"""The doors as real processes: statuses, signals, output, records, bad input."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shindan.core.evidence.curve import Curve
from shindan.record.store import read

TRAIN = """
import sys, time, torch
from torch import nn
torch.manual_seed(0)
class LM(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb, self.head = nn.Embedding(11, 16), nn.Linear(16, 11)
    def forward(self, x):
        return self.head(self.emb(x))
model = LM()
optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
for step in range(STEPS):
    x = torch.randint(0, 11, (4, 9))
    loss = nn.functional.cross_entropy(model(x[:, :-1]).flatten(0, 1), x[:, 1:].flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    AFTER
print("done", f"{loss.item():.6f}")
"""


def script(folder: Path, steps: int = 15, after: str = "pass", end: str = "") -> Path:
    path = folder / "train.py"
    path.write_text(TRAIN.replace("STEPS", str(steps)).replace("AFTER", after) + end)
    return path


def shindan(*args: str | Path, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "shindan", *map(str, args)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=100,
        env={**os.environ, "OMP_NUM_THREADS": "1", "LC_ALL": "C.UTF-8", **env},
    )


def document(path: Path) -> dict[str, object]:
    loaded: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def test_output_is_the_scripts_own_and_records_are_kept(tmp_path: Path) -> None:
    path = script(tmp_path, end="print(sys.argv[1:])\n")
    plain = subprocess.run(
        [sys.executable, str(path), "--a", "1"], capture_output=True, text=True, check=True
    )
    done = shindan("run", "--json", "o.json", path.name, "--a", "1", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, plain.stdout)
    assert "train.py" in done.stderr
    record = next((tmp_path / ".shindan").glob("*.db"))
    assert "train" in record.name
    again = shindan("report", record, "--json", "again.json", "--lang", "ja", cwd=tmp_path)
    assert again.returncode == 0
    assert document(tmp_path / "again.json")["verdict"] == document(tmp_path / "o.json")["verdict"]


def test_quiet_module_and_exit_status(tmp_path: Path) -> None:
    package = tmp_path / "pack"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "part.py").write_text("VALUE = 7\n")
    (package / "train.py").write_text(
        "import sys\nfrom .part import VALUE\nif __name__ == '__main__':\n    sys.exit(VALUE)\n"
    )
    done = shindan("run", "--quiet", "--json", "o.json", "-m", "pack.train", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (7, "", "")
    assert document(tmp_path / "o.json")["verdict"] == "inconclusive"


def test_a_script_that_raises_keeps_its_traceback(tmp_path: Path) -> None:
    path = script(tmp_path, end="raise ValueError('my own')\n")
    done = shindan("run", "--json", "o.json", path, cwd=tmp_path)
    assert done.returncode == 1
    assert "ValueError: my own" in done.stderr
    assert "shindan/" not in done.stderr.split("ValueError")[0]
    assert document(tmp_path / "o.json")["schema"] == "shindan/1"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_still_leave_a_document(tmp_path: Path, number: signal.Signals) -> None:
    running = started(tmp_path, "--json", "o.json")
    running.send_signal(number)
    assert running.wait(60) == -number
    assert document(tmp_path / "o.json")["schema"] == "shindan/1"


def test_a_killed_run_can_still_be_reported(tmp_path: Path) -> None:
    running = started(tmp_path)
    record = wait_for_record(tmp_path)
    running.kill()
    running.wait(60)
    done = shindan("report", record, "--json", "o.json", "--quiet", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert document(tmp_path / "o.json")["verdict"] != "sick"
    assert Curve in read(record).evidence


def wait_for_record(folder: Path) -> Path:
    """The record of a running script, once evidence has been written into it."""
    record = next((folder / ".shindan").glob("*.db"))
    for _ in range(600):
        if read(record).evidence:
            break
        time.sleep(0.1)
    return record


def started(folder: Path, *options: str) -> "subprocess.Popen[str]":
    """A run that goes on until it is stopped, waited for until it has trained a little."""
    path = script(folder, steps=100_000, after="time.sleep(0.01); print(step, flush=True)")
    told = folder / "stdout.txt"
    with told.open("w") as out:
        running = subprocess.Popen(
            [sys.executable, "-m", "shindan", "run", *options, str(path)],
            cwd=folder,
            stdout=out,
            stderr=subprocess.DEVNULL,
            text=True,
            # a shell in whose background the tests run ignores it, and children inherit that
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
    while running.poll() is None and told.read_text().count("\n") < 12:
        time.sleep(0.1)
    assert running.poll() is None
    return running


def test_bad_input_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "broken.db").write_text("not a record")
    (tmp_path / "syntax.py").write_text("def f(:\n")
    for args, words in (
        (("run", "missing.py"), "there is no script missing.py"),
        (("run", "syntax.py"), "not valid Python"),
        (("run", "--jsn", "x", "syntax.py"), "--json"),
        (("report", "broken.db"), "not a record"),
        (("explain", "data/padding-in-los"), "data/padding-in-loss"),
        (("rnu",), "run"),
    ):
        done = shindan(*args, cwd=tmp_path)
        assert done.returncode == 2
        assert words in done.stderr
        assert "Traceback" not in done.stderr


def test_workers_guards_and_forks(tmp_path: Path) -> None:
    path = tmp_path / "train.py"
    path.write_text(
        "import os, torch\n"
        "from torch.utils.data import DataLoader, TensorDataset\n"
        "def collate(rows):\n    return torch.stack([r[0] for r in rows])\n"
        "if __name__ == '__main__':\n"
        "    data = TensorDataset(torch.arange(64).reshape(8, 8))\n"
        "    for context in ('fork', 'spawn'):\n"
        "        loader = DataLoader(data, 4, num_workers=1, collate_fn=collate,\n"
        "                            multiprocessing_context=context)\n"
        "        print(sum(int(b.sum()) for b in loader))\n"
        "    child = os.fork()\n"
        "    if not child:\n        os._exit(5)\n"
        "    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    done = shindan("run", "--quiet", path, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "2016\n2016\n5\n", "")
