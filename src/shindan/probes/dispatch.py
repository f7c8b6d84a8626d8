"""Who wants to hear of an event, and how nothing of ours reaches the script."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from shindan.core.finding import Failure
from shindan.probes.probe import EVENTS, Probe


class Dispatcher:
    """Tells probes of events; what raises inside them is a failure of ours, and told as one."""

    def __init__(self, probes: Sequence[Probe]) -> None:
        self.probes = list(probes)
        self.failures: list[Failure] = []
        self._busy = False
        self._listeners: dict[str, list[Callable[..., None]]] = {
            e: [getattr(p, e) for p in probes if getattr(type(p), e) is not getattr(Probe, e)]
            for e in EVENTS
        }

    def hears(self, event: str) -> bool:
        """Does any probe listen to this event?"""
        return bool(self._listeners[event])

    def tell(self, event: str, *args: Any) -> None:
        """Call every listener of the event; a listener that raises is reported and dropped."""
        listeners = self._listeners[event]
        if not listeners:
            return
        with self.at_work():
            for listener in tuple(listeners):
                try:
                    listener(*args)
                except Exception as error:  # noqa: BLE001 - nothing of ours may reach the script
                    listeners.remove(listener)
                    self.fail(f"{type(listener.__self__).__name__}.{event}", error)  # type: ignore[attr-defined]

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Our own code runs: no gradients, no events from it."""
        busy, self._busy = self._busy, True
        try:
            with torch.no_grad(), torch._C.DisableTorchFunctionSubclass():
                yield
        finally:
            self._busy = busy

    def guarded(self, what: str, do: Callable[[], Any]) -> Any:
        """Run our own code so that nothing it raises reaches the script."""
        try:
            with self.at_work():
                return do()
        except Exception as error:  # noqa: BLE001 - nothing of ours may reach the script
            self.fail(what, error)
            return None

    def fail(self, what: str, error: BaseException) -> None:
        """Remember a failure of ours (each kind once)."""
        failure = Failure(what, f"{type(error).__name__}: {error}"[:500])
        if all(f.what != what for f in self.failures):
            self.failures.append(failure)
        if os.environ.get("SHINDAN_DEBUG"):
            import traceback

            traceback.print_exception(error)
