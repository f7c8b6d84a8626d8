"""``shindan train``."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shindan.cli.training import language_option, refusals_told, spoken, words
from shindan.core.text import Language

if TYPE_CHECKING:
    from shindan.reference.recipes.recipe import Recipe
    from shindan.reference.train.resolve import Given, Resolved

SAYS = ("loss", "accuracy", "teacher_accuracy", "commonest_accuracy", "perplexity")
"""Of an evaluation, what is told at the end."""


@click.command(context_settings={"allow_interspersed_args": True})
@click.argument("recipe")
@click.argument("settings", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--quiet", is_flag=True, help="Say nothing but errors.")
@language_option
@refusals_told
def train(recipe: str, settings: tuple[str, ...], quiet: bool, lang: str | None) -> None:
    """Train the RECIPE, as `shindan recipes` lists them; settings are KEY=VALUE.

    size=NAME takes the values of a size, config=FILE.yaml those of a file; what is on the command
    line wins. The run goes to output_dir, else to runs/RECIPE-TIME. Started by torchrun, the ranks
    train one model together.
    """
    from shindan.reference.recipes import load
    from shindan.reference.train.errors import Diverged

    chosen = load(recipe)
    resolved = settled(chosen, settings)
    try:
        trained(chosen, resolved, quiet, spoken(lang))
    except Diverged as error:
        click.echo(f"{error.told(spoken(lang))}", err=True)
        sys.exit(1)


def settled(recipe: "Recipe[Any]", said: tuple[str, ...]) -> "Resolved[Any]":
    """The settings, from what was said; ``size`` and ``config`` say where others come from."""
    from shindan.reference.recipes.recipe import TINY
    from shindan.reference.train.resolve import from_file, from_words, given

    line = from_words(said)
    file = _taken(line, "config")
    in_file = from_file(Path(str(file))) if file is not None else []
    size = _taken(line, "size") or _taken(in_file, "size") or TINY
    _taken(in_file, "size")
    place = Path("runs") / f"{recipe.name}-{time.strftime('%Y%m%d-%H%M%S')}"
    return recipe.resolve(str(size), given({"output_dir": place}, "default"), in_file, line)


def _taken(layer: "list[Given]", key: str) -> object:
    """The value of ``key``, taken out of the layer; None where it is not there."""
    found = None
    for each in [g for g in layer if g.key == key]:
        layer.remove(each)
        found = each.value
    return found


def trained(
    recipe: "Recipe[Any]", resolved: "Resolved[Any]", quiet: bool, language: Language
) -> None:
    """Run the loop, with a bar on standard error and the result on standard output."""
    import torch

    from shindan.reference.train import metrics
    from shindan.reference.train.loop import train
    from shindan.reference.train.ranks import joined

    settings = resolved.settings
    with joined(settings) as ranks:
        folder = ranks.gathered(settings.output_dir)[0]
        if ranks.first:
            _made_ready(folder, resolved)
        ranks.gathered(None)  # wait for the folder
        torch.manual_seed(settings.seed)
        task = recipe.task(settings, folder, ranks)
        loop = recipe.loop(task, settings, ranks, folder)
        with _bar(quiet or not ranks.first, loop.updates, loop.done, language) as tell:
            last = train(loop, tell)
        if not ranks.first:
            return
    metrics.plot(folder, settings.plot)
    if not quiet:
        _tell_result(folder, last, loop.refused, language)


def _made_ready(folder: Path, resolved: "Resolved[Any]") -> None:
    """The run's folder, empty but for a run to go on with."""
    from shindan.reference.train import metrics, resolve
    from shindan.reference.train.errors import TrainError

    if resolved.settings.resume:
        resolve.same_run(resolved, folder)
        return
    if (folder / metrics.NAME).exists():
        raise TrainError("folder-taken", path=folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / resolve.SAVED).exists():  # a run that never began, perhaps on other data
            for left in (*folder.glob("*.tokens"), *folder.glob("tokenizer.json")):
                left.unlink()
        resolve.save(resolved, folder)
    except OSError as error:
        raise TrainError("not-writable", path=folder, error=error.strerror) from error


class _Bar:
    """A bar of updates with the last loss; without a terminal, a line at each evaluation."""

    def __init__(self, quiet: bool, updates: int, done: int, language: Language) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
        from rich.progress import TimeRemainingColumn as Remaining

        self.console = Console(stderr=True, quiet=quiet)
        self.words = words(language)
        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), Remaining())
        self.progress = Progress(
            *columns, console=self.console, disable=quiet or not self.console.is_terminal
        )
        self.bar = self.progress.add_task("", total=updates, completed=done)

    def __enter__(self) -> Callable[[dict[str, Any]], None]:
        self.progress.start()
        return self.tell

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def tell(self, line: dict[str, Any]) -> None:
        """Hear one line of metrics."""
        if line["kind"] == "train":
            described = f"loss {line['loss']:.3f} lr {line['lr']:.2e}"
            self.progress.update(self.bar, completed=line["update"], description=described)
            if line["refused"]:
                self.console.print(self.words["refused"].format(update=line["update"]))
        else:
            numbers = ", ".join(
                f"{self.words[name]} {line[name]:.4g}" for name in SAYS if name in line
            )
            said = self.words["evaluation"].format(update=line["update"], numbers=numbers)
            self.console.print(said, highlight=False)


def _bar(quiet: bool, updates: int, done: int, language: Language) -> _Bar:
    return _Bar(quiet, updates, done, language)


def _tell_result(folder: Path, last: dict[str, Any], refused: int, language: Language) -> None:
    said = words(language)
    numbers = ", ".join(f"{said[name]} {last[name]:.4g}" for name in SAYS if name in last)
    click.echo(said["result"].format(update=last["update"], numbers=numbers))
    if refused:
        click.echo(said["refused_in_all"].format(n=refused))
    click.echo(said["folder"].format(folder=folder))
