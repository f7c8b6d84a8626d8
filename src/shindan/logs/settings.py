"""The run's configuration, as the log or a file beside it says it."""

import ast
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import yaml

from shindan.logs.numerals import number

MOST = 2000
"""Settings kept of one run."""
_LARGEST = 1 << 20
"""Bytes of a file of settings; a larger one is none."""
_BESIDE = (
    "hparams.yaml", "hparams.json", "config.yaml", "config.yml", "config.json", "args.yaml",
    "args.json", "args.txt", "config.txt", "params.json", "params.yaml", "training_args.json",
    "train_config.json", "train_config.yaml", "exp_config.txt", "arguments.json", "run.json",
    ".hydra/config.yaml", "files/config.yaml", "settings.json",
)  # fmt: skip
_ENDINGS = (".config.txt", ".config.json", ".config.yaml", ".args.json", ".yaml", ".yml")
_PREFIXES = ("config.", "args.", "hparams.", "hyperparameters.", "params.", "training_args.")
_BEFORE = r"^[\s#>|*\-]*(?:\[[^\]]*\]\s*)*(?:Overriding:\s*)?"
_PAIR = re.compile(
    _BEFORE + r"--?(?P<flag>[A-Za-z][\w.\-]*)[= ]\s*(?P<given>\S+)$"
    r"|" + _BEFORE + r"(?P<key>[A-Za-z_][\w.\-/]*(?: [\w.\-/]+){0,4}?)"
    r"\s*(?::\s*(?:int|float|str|bool)\s*=|[:=|]|\s{2,}|\.{3,}|\t)\s*(?P<value>[^\s|].*?)[\s|,]*$"
)
_PLAIN_WORD = r"[\w.\-+/:,'\"\[\]~@%*<>]+"
_SIMPLE = re.compile(rf"{_PLAIN_WORD}(?: {_PLAIN_WORD}){{0,4}} ?")
"""A value, not an expression or a sentence."""
_CALL = re.compile(r"\b([A-Za-z_]\w*)\s*=\s*('[^']*'|\"[^\"]*\"|\[[^\]]*\]|[^,()\s]+)")
_FLAG = re.compile(r"--([A-Za-z][\w.\-]*)(?:[= ]+(?!--)('[^']*'|\"[^\"]*\"|\S+))?")
_MARKED = re.compile(r"(?:Namespace|Config|Args|Arguments|TrainingArguments)\((.*)\)\s*$")


def flat(value: object, name: str = "", depth: int = 0) -> Iterator[tuple[str, object]]:
    """Scalars by dotted name; W&B's ``{desc, value}`` is its value; lists stay lists."""
    if isinstance(value, Mapping):
        if "value" in value and set(value) <= {"value", "desc"}:
            yield from flat(value["value"], name, depth)
        elif depth < 16:
            for key, inner in value.items():
                yield from flat(inner, f"{name}.{key}" if name else str(key), depth + 1)
    elif not isinstance(value, list) or len(value) <= 16:
        yield name, value


def settings_of(value: object) -> dict[str, object]:
    """Flat settings of a configuration as read from JSON or YAML."""
    found: dict[str, object] = {}
    for name, inner in flat(value):
        for prefix in _PREFIXES:
            name = name.removeprefix(prefix)
        if name and not name.startswith("_wandb"):
            found.setdefault(name, inner)
        if len(found) >= MOST:
            break
    return found


def beside(path: Path) -> dict[str, object]:
    """Settings in files beside a log (or within a run's folder), the nearest name first."""
    folder = path if path.is_dir() else path.parent
    stem = path.name.split(".")[0]
    names = [stem + ending for ending in _ENDINGS] if path.is_file() else []
    found: dict[str, object] = {}
    for name in (*names, *_BESIDE):
        file = folder / name
        if file != path and file.is_file() and file.stat().st_size <= _LARGEST:
            for key, value in settings_of(_content(file)).items():
                found.setdefault(key, value)
    return found


def _content(file: Path) -> object:
    try:
        text = file.read_text("utf-8", "replace")
        if file.suffix == ".json":
            return json.loads(text)
        if file.suffix in (".yaml", ".yml"):
            return yaml.load(text, _Plain)
        if text.lstrip().startswith("{"):
            return json.loads(text)
    except (OSError, ValueError, yaml.YAMLError, RecursionError):
        return {}
    return settings_in(text.splitlines())


class _Plain(yaml.SafeLoader):
    """YAML of data; tags of Python objects are read as what they hold."""


def _untagged(loader: _Plain, suffix: str, node: yaml.Node) -> object:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return node.value


_Plain.add_multi_constructor("tag:yaml.org,2002:python/", _untagged)


def settings_in(lines: Iterable[str]) -> dict[str, object]:
    """Settings in lines before the first record: ``key: value``, a Namespace, a command line."""
    found: dict[str, object] = {}
    for line in lines:
        if len(line) > 20_000 or len(found) >= MOST:
            continue
        for key, value in _of_line(line):
            found.setdefault(key, value)
    return found


def _of_line(line: str) -> Iterator[tuple[str, object]]:
    if marked := _MARKED.search(line):
        yield from ((key, scalar(value)) for key, value in _CALL.findall(marked[1]))
    elif line.lstrip().startswith("{") and line.rstrip().endswith("}"):
        yield from settings_of(literal(line.strip())).items()
    elif " --" in line:
        for key, value in _FLAG.findall(line):
            yield key, scalar(value) if value else True
    elif pair := _PAIR.match(line):
        key, value = (pair["flag"], pair["given"]) if pair["flag"] else (pair["key"], pair["value"])
        value = re.sub(r"\s+#\s.*$", "", value)
        if _SIMPLE.fullmatch(value) or pair["flag"]:
            yield key.strip(), scalar(value)


def literal(text: str) -> object:
    """The value of a JSON or Python literal; an empty dict where it is none."""
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    return {}


def scalar(text: str) -> object:
    """A number, a truth value, None, or the text itself (its quotes and comment removed)."""
    text = re.sub(r"\s+#\s.*$", "", text).strip().rstrip(",;").strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1]
    if text in ("True", "true", "False", "false"):
        return text in ("True", "true")
    if text in ("None", "null"):
        return None
    if re.fullmatch(r"\d+(?:\s*\*\s*\d+)+", text) and len(text) < 40:  # 8*64
        product = 1
        for factor in text.split("*"):
            product *= int(factor)
        return product
    found = number(text)
    if found is None:
        return text
    return int(found) if re.fullmatch(r"[-+]?\d{1,15}", text) else found
