"""Running a patient script in-process, healthy or with one fault put in."""

import contextlib
import gc
import io
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from shindan.core.check import Edit
from shindan.core.document import Document
from shindan.integrations.script import run_script
from shindan.integrations.watching import Watch
from shindan.probes import census, id_sources, schedule
from shindan.probes import names as names_of_ids
from shindan.probes.schedule import LookSchedule

PATIENTS = Path(__file__).parents[1] / "patients"
FRAMEWORKS = ("hf_trainer", "accelerate_loop", "lightning_loop")


def names() -> list[str]:
    """All patients, frameworks included."""
    return sorted(p.stem for p in PATIENTS.glob("*.py"))


def source(edit: Edit) -> str:
    """The patient with the fault in it; the replaced text must occur exactly once."""
    text = (PATIENTS / f"{edit.script}.py").read_text(encoding="utf-8")
    if text.count(edit.old) != 1:
        raise AssertionError(f"{edit.script}: {edit.old!r} occurs {text.count(edit.old)} times")
    return text.replace(edit.old, edit.new)


def examined(text: str, name: str, folder: Path, record: Path | None = None) -> Document:
    """Run a script's text under Shindan and return its document; its output is swallowed."""
    return watched(text, name, folder, record)[0]


def watched(
    text: str, name: str, folder: Path, record: Path | None = None
) -> tuple[Document, Watch]:
    """The same, with the watch: its evidence and its session."""
    script = folder / f"{name}.py"
    script.write_text(text, encoding="utf-8")
    seen: list[tuple[Document, Watch]] = []
    with _quiet(), _steady(), _inside(folder), torch.random.fork_rng(devices=[]):
        run_script(str(script), [], record=record, done=lambda d, w: seen.append((d, w)))
    return seen[0]


@contextlib.contextmanager
def _steady() -> Iterator[None]:
    """The same looks on every machine, however busy: each is taken to last 0.6 s, time stands.

    And the same names of ids, whatever other tests of this process have loaded.
    """
    looked, own = LookSchedule.looked, names_of_ids._is_user_module
    before = set(sys.modules) - {"__main__"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LookSchedule, "looked", lambda self, update, _: looked(self, update, 0.6))
        patch.setattr(schedule, "SHARE", 0.0)
        patch.setattr(census, "FREE_SECONDS", 1e9)
        patch.setattr(id_sources, "PATIENCE", 1e9)
        patch.setattr(names_of_ids, "_is_user_module", lambda m: own(m) and not _known(m, before))
        gc.freeze()  # what other tests keep alive is none of this run's
        try:
            yield
        finally:
            gc.unfreeze()


def _known(module: object, before: set[str]) -> bool:
    """Was this module there before the run (another test's)?"""
    return getattr(module, "__name__", "") in before


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        warnings.catch_warnings(),
    ):
        # torch's own complaint about one of the faults put in
        warnings.filterwarnings("ignore", message=r"Detected call of `lr_scheduler\.step")
        yield


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    here, threads, known = os.getcwd(), torch.get_num_threads(), set(sys.modules)
    os.chdir(folder)
    torch.set_num_threads(1)
    try:
        yield
    finally:
        os.chdir(here)
        torch.set_num_threads(threads)
        del known
