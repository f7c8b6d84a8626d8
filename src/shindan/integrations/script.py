"""Runs somebody's script as ``python script.py`` would, watched."""

import importlib.util
import io
import runpy
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from shindan.core.document import Document
from shindan.core.errors import ShindanError
from shindan.integrations.watching import Watch

OURS = str(Path(__file__).parents[1])


def run_script(
    target: str,
    args: Sequence[str],
    *,
    module: bool = False,
    record: Path | None = None,
    keep_text: bool = False,
    done: Callable[[Document, Watch], None],
) -> tuple[int, signal.Signals | None]:
    """Run ``target`` (a file, or a module with ``module``) to its end and tell ``done``.

    Returns the script's exit status, and the signal it would have died of. ``done`` is called
    exactly once, however the script ends; a SIGTERM that the script does not handle itself is
    answered first.
    """
    code, main, first = _prepared_module(target) if module else _prepared_file(target)
    watch = Watch(target, record, keep_text)
    told = False

    def finish(how: str, error: BaseException | None = None, look: bool = True) -> None:
        nonlocal told
        if not told:
            told = True
            done(watch.end(how, error, look), watch)

    def terminated(number: int, _frame: Any) -> None:
        finish("killed", look=False)
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)

    previous = _on_sigterm(terminated)
    try:
        with _as_main(main, target, args, first):
            status, how, error = _executed(code, main, watch)
            if error is not None:
                _print_traceback(error)
            finish(how, error)
    finally:
        if previous is not None:
            signal.signal(signal.SIGTERM, previous)
    return status, signal.SIGINT if how == "interrupted" else None


@contextmanager
def _as_main(main: ModuleType, target: str, args: Sequence[str], first: str) -> Iterator[None]:
    """``sys.argv``, ``sys.path`` and ``__main__`` as Python itself would set them."""
    saved = sys.argv, sys.path[:], sys.modules.get("__main__")
    sys.argv = [main.__file__ or target, *args]
    sys.path[0:1] = [first]
    sys.modules["__main__"] = main
    try:
        yield
    finally:
        sys.argv, sys.path[:] = saved[0], saved[1]
        if saved[2] is not None:
            sys.modules["__main__"] = saved[2]


def _executed(code: Any, main: ModuleType, watch: Watch) -> tuple[int, str, BaseException | None]:
    """Run the code: exit status, how it ended, and what it raised."""
    try:
        with watch.running():
            exec(code, main.__dict__)
    except SystemExit as stop:
        return _status(stop), "normally", None
    except KeyboardInterrupt as stop:
        return 130, "interrupted", stop
    except BaseException as crash:  # noqa: BLE001 - told as Python itself would tell it
        return 1, "exception", crash
    return 0, "normally", None


def _prepared_file(target: str) -> tuple[Any, ModuleType, str]:
    path = Path(target)
    if path.is_dir() or not path.exists():
        raise ShindanError("no-script", target=target)
    try:
        with io.open_code(str(path)) as f:
            code = compile(f.read(), target, "exec", dont_inherit=True)
    except OSError as error:
        raise ShindanError("script-not-readable", target=target, error=error.strerror) from error
    except (SyntaxError, ValueError) as error:
        raise ShindanError("script-not-valid", target=target, error=error) from error
    main = ModuleType("__main__")
    main.__dict__.update(__file__=target, __builtins__=__builtins__, __spec__=None)
    main.__dict__.update(__cached__=None, __loader__=None, __package__=None)
    return code, main, str(path.resolve().parent)


def _prepared_module(target: str) -> tuple[Any, ModuleType, str]:
    sys.path.insert(0, str(Path.cwd()))
    try:
        _, spec, code = runpy._get_module_details(target)  # type: ignore[attr-defined]
    except (ImportError, ValueError) as error:
        raise ShindanError("module-not-runnable", target=target, error=error) from error
    finally:
        sys.path.pop(0)
    main = importlib.util.module_from_spec(spec)
    main.__dict__.update(__name__="__main__", __file__=spec.origin, __cached__=spec.cached)
    main.__dict__.update(__package__=spec.parent, __builtins__=__builtins__)
    return code, main, str(Path.cwd())


def _status(stop: SystemExit) -> int:
    """The exit status Python would give, printing the message it would print."""
    if stop.code is None:
        return 0
    if isinstance(stop.code, int):
        return stop.code & 0xFF
    print(stop.code, file=sys.stderr)  # noqa: T201 - as Python itself does
    return 1


def _print_traceback(error: BaseException) -> None:
    """The traceback without our frames."""
    told = traceback.TracebackException.from_exception(error)
    _strip(told)
    sys.stdout.flush()
    sys.stderr.write("".join(told.format()))


def _strip(told: traceback.TracebackException | None) -> None:
    while told is not None:
        kept = [f for f in told.stack if not f.filename.startswith(OURS)]
        told.stack[:] = kept
        _strip(told.__context__)
        told = told.__cause__


def _on_sigterm(handler: Callable[[int, Any], None]) -> Any:
    try:
        return signal.signal(signal.SIGTERM, handler)
    except ValueError:
        return None
