"""From what was said, in which place, to typed settings; and what a run keeps of it.

A value comes from, weakest first: the class (``default``), the recipe, its size, the file of
``config=FILE.yaml`` (with the line), the command line. The source is kept beside the value.
"""

import dataclasses
import difflib
import json
import platform
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Generic, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from shindan.reference.train.config import ALIASES, MEANINGS, Settings
from shindan.reference.train.errors import TrainError

S = TypeVar("S", bound=Settings)

SAVED = "settings.json"
COMMAND_LINE = "command line"
EXCLUDED = ("model.vocab_size",)
"""Not a setting: the tokenizer says it."""
RESUMABLE = (
    *("output_dir", "resume", "device", "compile", "log_every", "evaluate_every"),
    *("save_every", "tensorboard", "plot"),
)
"""What may be another after a resumption; all else would make it another run."""


@dataclass(frozen=True)
class Given:
    """One value somebody gave, and where."""

    key: str
    value: object
    source: str


@dataclass(frozen=True)
class Resolved(Generic[S]):
    """The settings, and the source of each by its key (``model.layers`` inside the model)."""

    recipe: str
    settings: S
    sources: Mapping[str, str]


def known_keys(kind: type[BaseModel]) -> list[str]:
    """Every key of ``kind``, those of its model as ``model.<key>``."""
    keys: list[str] = []
    for name, field in kind.model_fields.items():
        if dataclasses.is_dataclass(field.annotation):
            keys += [f"{name}.{f.name}" for f in dataclasses.fields(field.annotation)]
        else:
            keys.append(name)
    return [key for key in keys if key not in EXCLUDED]


def given(layer: Mapping[str, object], source: str) -> list[Given]:
    """A layer of values that all have one source."""
    return [Given(key, value, source) for key, value in layer.items()]


def from_words(words: Iterable[str]) -> list[Given]:
    """``key=value`` words of a command line; lists and mappings are written as YAML."""
    found = []
    for word in words:
        key, equals, text = word.partition("=")
        if not equals or not key:
            raise TrainError("not-a-setting", word=word)
        value: object = None if text.lower() in ("none", "null") else text
        if text[:1] in ("[", "{"):
            try:
                value = yaml.safe_load(text)
            except yaml.YAMLError as error:
                raise TrainError("not-a-setting", word=word) from error
        found.append(Given(key.removeprefix("--"), value, COMMAND_LINE))
    return found


def from_file(path: Path) -> list[Given]:
    """The values of a YAML file, each with its line; nested mappings give dotted keys."""
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise TrainError("config-not-readable", path=path, error=_first_line(error)) from error
    if root is None:
        return []
    if not isinstance(root, yaml.MappingNode):
        raise TrainError("config-not-readable", path=path, error="no mapping of keys to values")
    return list(_flat(root, path, ""))


def _flat(node: yaml.MappingNode, path: Path, prefix: str) -> Iterable[Given]:
    loader = yaml.SafeLoader("")
    for name, value in node.value:
        key = f"{prefix}{name.value}"
        if isinstance(value, yaml.MappingNode) and key == "model":
            yield from _flat(value, path, f"{key}.")
        else:
            plain = loader.construct_object(value, deep=True)
            yield Given(key, plain, f"{path}:{name.start_mark.line + 1}")


def resolve(recipe: str, kind: type[S], layers: Sequence[Sequence[Given]]) -> Resolved[S]:
    """Lay the layers over one another, weakest first. Raises TrainError in one sentence."""
    known = known_keys(kind)
    values: dict[str, object] = {}
    sources = dict.fromkeys(known, "default")
    strength: dict[str, int] = {}
    for level, layer in enumerate(layers):
        seen: set[str] = set()
        for each in layer:
            key, value = _translated(each, known)
            if key in seen:
                raise TrainError("given-twice", key=key, source=each.source)
            seen.add(key)
            values[key], sources[key], strength[key] = value, each.source, level
    if strength.get("epochs", -1) > strength.get("max_updates", -1):
        values["max_updates"] = None  # whichever was said with more weight is the length
    if strength.get("warmup_share", -1) > strength.get("warmup_updates", -1):
        values["warmup_updates"] = None
    return Resolved(recipe, _typed(kind, values, sources), sources)


def _translated(each: Given, known: Sequence[str]) -> tuple[str, object]:
    """The key and value in our words."""
    key = ALIASES.get(each.key, each.key)
    if key not in known:
        names = [*known, *ALIASES, "size", "config"]
        short = [k for k in known if k.rpartition(".")[2] == each.key]
        near = short or difflib.get_close_matches(each.key, names, n=1)
        if near:
            raise TrainError("unknown-key-near", key=each.key, near=near[0], source=each.source)
        raise TrainError("unknown-key", key=each.key, known=", ".join(known), source=each.source)
    meant = MEANINGS.get(each.key, {})
    return key, meant.get(str(each.value).lower(), each.value)


def _typed(kind: type[S], values: Mapping[str, object], sources: Mapping[str, str]) -> S:
    nested: dict[str, Any] = {}
    for key, value in values.items():
        outer, _, inner = key.partition(".")
        if inner:
            nested.setdefault(outer, {})[inner] = value
        else:
            nested[key] = value
    try:
        return kind.model_validate(nested)
    except ValidationError as wrong:
        error = wrong.errors()[0]
        key = ".".join(str(part) for part in error["loc"])
        if error["type"] == "value_error" or not key:
            why = str(error["msg"]).removeprefix("Value error, ")
            raise TrainError("settings-do-not-fit", error=why) from wrong
        where = next((k for k in values if key == k or key.startswith(f"{k}.")), key)
        raise TrainError(
            "bad-value",
            key=where,
            value=error["input"],
            source=sources[where],
            allowed=allowed(kind, where),
        ) from wrong


def allowed(kind: type[BaseModel], key: str) -> str:
    """What ``key`` takes, in a notation of no language: ``int >= 1 | none``, ``a | b | c``."""
    schema = kind.model_json_schema()
    part: Mapping[str, Any] = schema
    for name in key.split("."):
        while "$ref" in part:
            part = schema["$defs"][part["$ref"].rpartition("/")[2]]
        part = part["properties"][name]
    return _notation(part)


LIMITS = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
TYPES = {"integer": "int", "number": "float", "boolean": "true | false", "null": "none"}


def _notation(part: Mapping[str, Any]) -> str:
    if "anyOf" in part:
        return " | ".join(_notation(p) for p in part["anyOf"])
    if "enum" in part:
        return " | ".join(str(v) for v in part["enum"])
    limits = [f"{sign} {part[name]}" for name, sign in LIMITS.items() if name in part]
    kind = TYPES.get(part.get("type", ""), part.get("type", "text"))
    return f"{kind} {' and '.join(limits)}" if limits else str(kind)


def plain(settings: Settings) -> dict[str, Any]:
    """The settings as JSON has them, with dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in settings.model_dump(mode="json").items():
        if dataclasses.is_dataclass(getattr(settings, key)):
            flat.update({f"{key}.{k}": v for k, v in value.items()})
        else:
            flat[key] = value
    return flat


def save(resolved: Resolved[Any], folder: Path) -> None:
    """Write ``settings.json``: what was used, where each value is from, and with what it ran."""
    kept = {
        "recipe": resolved.recipe,
        "settings": plain(resolved.settings),
        "sources": dict(resolved.sources),
        "versions": {
            "python": platform.python_version(),
            **{name: _version(name) for name in ("shindan", "torch", "numpy")},
        },
        "git": git_state(Path.cwd()),
        "command": sys.argv,
    }
    partial = folder / f"{SAVED}.partial"
    partial.write_text(json.dumps(kept, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    partial.replace(folder / SAVED)


def load(folder: Path) -> dict[str, Any]:
    """What :func:`save` wrote in ``folder``. Raises TrainError when there is no run."""
    try:
        loaded: dict[str, Any] = json.loads((folder / SAVED).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TrainError("no-run", path=folder) from error
    return loaded


def same_run(resolved: Resolved[Any], folder: Path) -> None:
    """Refuse to go on with settings other than the run began with."""
    before, now = load(folder), plain(resolved.settings)
    if before["recipe"] != resolved.recipe:
        raise TrainError("resume-other", key="recipe", old=before["recipe"], new=resolved.recipe)
    for key, value in before["settings"].items():
        if key not in RESUMABLE and now.get(key) != value:
            raise TrainError("resume-other", key=key, old=value, new=now.get(key))


def git_state(folder: Path) -> dict[str, Any] | None:
    """Commit and whether files were changed since; None outside a repository or without git."""
    try:
        commit, changed = (
            subprocess.run(
                ["git", *words], cwd=folder, capture_output=True, text=True, timeout=10, check=True
            ).stdout.strip()
            for words in (["rev-parse", "HEAD"], ["status", "--porcelain", "-uno"])
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit, "changed": bool(changed)}


def _version(name: str) -> str | None:
    """None for what runs from its source, not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
