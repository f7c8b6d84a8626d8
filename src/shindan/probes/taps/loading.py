"""DataLoaders, checkpoints, schedulers."""

import functools
import weakref
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler
from torch.optim.optimizer import Optimizer
from torch.utils.data import DataLoader
from torch.utils.data import dataloader as loading

from shindan.probes.events import BatchEvent, CheckpointEvent
from shindan.probes.frames import where
from shindan.probes.origins import MADE, fills
from shindan.probes.patching import Patches
from shindan.probes.session import Session


def install_loader(session: Session, patches: Patches) -> None:
    """Tell of every batch a DataLoader hands out, with its epoch."""
    make = DataLoader.__iter__
    take = loading._BaseDataLoaderIter.__next__
    epochs: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
    owners: weakref.WeakKeyDictionary[Any, tuple[Any, int, int]] = weakref.WeakKeyDictionary()

    def iterate(self: Any) -> Any:
        iterator = make(self)
        if session.alive:

            def note() -> None:
                epoch = epochs.get(self, -1) + 1
                epochs[self] = epoch
                owners[iterator] = (weakref.ref(self), epoch, 0)

            session.guarded("DataLoader", note)
        return iterator

    def following(self: Any) -> Any:
        batch = take(self)
        if session.alive and session.hears("on_batch"):

            def note() -> None:
                found = owners.get(self)
                if found is not None and (loader := found[0]()) is not None:
                    owners[self] = (found[0], found[1], found[2] + 1)
                    session.tell("on_batch", BatchEvent(loader, found[1], found[2], batch))

            session.guarded("DataLoader", note)
        return batch

    patches.set(DataLoader, "__iter__", iterate)
    patches.set(loading._BaseDataLoaderIter, "__next__", following)


def install_checkpoints(session: Session, patches: Patches) -> None:
    """Tell of ``torch.save``, ``torch.load``, every ``load_state_dict`` and given tables."""
    save, load = torch.save, torch.load
    module_load, optimizer_load = nn.Module.load_state_dict, Optimizer.load_state_dict
    scheduler_load = LRScheduler.load_state_dict
    embedding = nn.Embedding.__init__

    def tell(kind: str, content: Any, target: Any = None, result: Any = None) -> None:
        if session.alive and session.hears("on_checkpoint"):
            event = CheckpointEvent(kind, content, target, result, where())
            session.guarded("checkpoint", lambda: session.tell("on_checkpoint", event))

    def saved(obj: Any, *args: Any, **kwargs: Any) -> None:
        save(obj, *args, **kwargs)
        tell("save", obj)

    def loaded(*args: Any, **kwargs: Any) -> Any:
        content = load(*args, **kwargs)
        tell("load", content)
        return content

    def into_module(self: nn.Module, state_dict: Any, *args: Any, **kwargs: Any) -> Any:
        result = module_load(self, state_dict, *args, **kwargs)
        tell("module_load", state_dict, self, result)
        return result

    def into_optimizer(self: Optimizer, state_dict: Any) -> None:
        optimizer_load(self, state_dict)
        tell("optimizer_load", state_dict, self)

    def into_scheduler(self: LRScheduler, state_dict: Any) -> None:
        scheduler_load(self, state_dict)
        tell("scheduler_load", state_dict, self)

    def init(self: nn.Embedding, *args: Any, **kwargs: Any) -> None:
        embedding(self, *args, **kwargs)
        if kwargs.get("_weight") is not None:  # Embedding.from_pretrained
            tell("table", {"weight": kwargs["_weight"]}, self)

    patches.set(nn.Embedding, "__init__", init)
    patches.set(torch, "save", saved)
    patches.set(torch, "load", loaded)
    patches.set(nn.Module, "load_state_dict", into_module)
    patches.set(Optimizer, "load_state_dict", into_optimizer)
    patches.set(LRScheduler, "load_state_dict", into_scheduler)


def install_making(session: Session, patches: Patches) -> None:
    """Remember the tables and linear maps that the run makes from nothing: ``session.fresh``."""
    for kind in MADE:
        patches.set(kind, "__init__", _making(kind.__init__, session))


def _making(built: Any, session: Session) -> Any:
    @functools.wraps(built)
    def init(self: nn.Module, *args: Any, **kwargs: Any) -> None:
        built(self, *args, **kwargs)
        if session.alive:
            session.guarded("made", lambda: None if fills() else session.fresh.add(self))

    return init


def install_schedulers(session: Session, patches: Patches) -> None:
    """Remember every scheduler that is built: ``session.schedulers``."""
    built = LRScheduler.__init__

    def init(self: LRScheduler, *args: Any, **kwargs: Any) -> None:
        built(self, *args, **kwargs)
        if session.alive:
            session.guarded("scheduler", lambda: session.schedulers.append(weakref.ref(self)))

    patches.set(LRScheduler, "__init__", init)
