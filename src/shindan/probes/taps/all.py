"""Everything that is wrapped, put on and taken off together."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from shindan.probes.patching import Patches
from shindan.probes.session import Session
from shindan.probes.taps import (
    arrays,
    backward,
    checkpointing,
    clipping,
    hooks,
    loading,
    losses,
    modules,
    optimizers,
    settings,
)
from shindan.probes.taps.scaler import Scaled
from shindan.probes.taps.scaler import install as install_scaler


@contextmanager
def tapped(session: Session) -> Iterator[None]:
    """Watch everything that happens inside the block."""
    patches, scaled = Patches(), Scaled()
    modules.install(session, patches)
    backward.install(session, patches, scaled)
    install_scaler(session, patches, scaled)
    losses.install(session, patches)
    clipping.install(session, patches, scaled)
    hooks.install(session, patches, scaled)
    checkpointing.install(session, patches)
    loading.install_loader(session, patches)
    arrays.install(session, patches)
    loading.install_checkpoints(session, patches)
    loading.install_making(session, patches)
    loading.install_schedulers(session, patches)
    settings.install_readers(session, patches)
    settings.install_speech(session, patches)
    _install_compile(session, patches)
    remove = optimizers.install(session, patches)
    try:
        yield
    finally:
        remove()
        patches.undo()


def _install_compile(session: Session, patches: Patches) -> None:
    original = torch.compile

    def compile(*args: Any, **kwargs: Any) -> Any:
        session.compiled = True
        return original(*args, **kwargs)

    patches.set(torch, "compile", compile)
