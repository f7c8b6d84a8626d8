"""Log lines to keys: the header is taken off, what varies becomes ``<*>``, Drain groups the rest.

Drain: He et al., "Drain: an online log parsing approach with fixed depth tree", ICWS 2017; here the
Drain3 library. Templates are learnt from training lines only. Afterwards nothing is learnt: a line
that fits no template has the key ``UNSEEN``, and is so counted.
"""

import json
import re
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from drain3 import TemplateMiner
from drain3.drain import LogCluster
from drain3.masking import MaskingInstruction
from drain3.template_miner_config import TemplateMinerConfig

from shindan.reference.data.errors import DataError
from shindan.reference.data.files import existing, opened

UNSEEN = "<unseen>"
SIMILARITY, DEPTH = 0.5, 4
"""Drain's settings for HDFS, BGL and Thunderbird in the loghub benchmark (Zhu et al. 2019)."""
VARIABLE = (
    r"blk_-?\d+",  # blocks of HDFS
    r"(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?",  # addresses
    r"\b0x[0-9a-fA-F]+\b",
    r"\b(?=[0-9a-fA-F]*\d)[0-9a-fA-F]{8,}\b",
    r"(?<![\w.])[-+]?\d+(?:[.,:]\d+)*(?![\w])",
)
HEADERS = {
    "hdfs": r"\d{6} \d{6} \d+ \w+ \S+: (?P<content>.*)",
    "bgl": r"(?P<label>\S+) \d{9,} \d{4}\.\d\d\.\d\d \S+ \d{4}-\S+ \S+ \S+ \S+ \S+ (?P<content>.*)",
    "thunderbird": r"(?P<label>\S+) \d{9,} \d{4}\.\d\d\.\d\d \S+ \w{3} +\d+ \d\d:\d\d:\d\d \S+ "
    r"\S+?(?:\[\d+\])?: (?P<content>.*)",
    "syslog": r"\w{3} +\d+ \d\d:\d\d:\d\d \S+ [^:\[]+(?:\[\d+\])?: (?P<content>.*)",
    "apache": r"\[\w{3} \w{3} \d+ [\d:]+ \d{4}\] \[\w+\] (?P<content>.*)",
    "dated": r"\[?\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d\S*\s+(?P<content>.*)",
}
"""What stands before the message; ``label`` is ``-`` on normal lines (loghub's convention)."""
LOOKED_AT, MOST = 1000, 0.9
"""A header is taken to be the file's where so many of so many first lines have it."""


class LogLine(NamedTuple):
    """A line without its header, its number in the file (from 1), its label where it has one."""

    text: str
    number: int
    anomalous: bool | None


def read_log(path: str | Path) -> Iterator[LogLine]:
    """The lines of a log (``.gz`` too) that are not blank, the header recognised by itself.

    A log without a known header is taken whole. Bytes that are not UTF-8 become ``�``: logs hold
    what programs happened to print. Raises ``DataError``.
    """
    return _lines(existing(path))


def _lines(path: Path) -> Iterator[LogLine]:
    empty = True
    with opened(path, errors="replace", newline="\n") as file:
        texts = (line.strip() for line in file)
        head = list(islice(texts, LOOKED_AT))
        header = _header([text for text in head if text])
        for number, text in enumerate(chain(head, texts), 1):
            if text:
                empty = False
                yield _without_header(text, number, header)
    if empty:
        raise DataError("no-text", source=path)


def _header(head: list[str]) -> re.Pattern[str] | None:
    for pattern in map(re.compile, HEADERS.values()):
        if head and sum(bool(pattern.fullmatch(text)) for text in head) >= MOST * len(head):
            return pattern
    return None


def _without_header(text: str, number: int, header: re.Pattern[str] | None) -> LogLine:
    found = header.fullmatch(text) if header else None
    if not found:
        return LogLine(text, number, None)
    label = found.groupdict().get("label")
    return LogLine(found["content"], number, None if label is None else label != "-")


class LogKeys:
    """Templates, and which of them a line fits: that template is the line's key."""

    def __init__(self, templates: Iterable[str]) -> None:
        self.templates = tuple(dict.fromkeys(templates))
        self._miner = _miner()
        for number, template in enumerate(self.templates, 1):
            cluster = LogCluster(template.split(), number)
            self._miner.drain.id_to_cluster[number] = cluster
            self._miner.drain.add_seq_to_prefix_tree(self._miner.drain.root_node, cluster)

    @classmethod
    def learn(cls, texts: Iterable[str]) -> "LogKeys":
        """Templates of training lines (without headers), in the order in which they first came.

        The tree is then built anew from the finished templates, as it is on loading: a line has
        the same key in training, in testing and after a restart.
        """
        miner = _miner()
        for text in texts:
            miner.add_log_message(text)
        return cls(cluster.get_template() for cluster in miner.drain.clusters)

    def key(self, text: str) -> str:
        """The template that ``text`` fits word by word, or ``UNSEEN``."""
        cluster = self._miner.match(text, full_search_strategy="fallback")
        return cluster.get_template() if cluster else UNSEEN

    def save(self, path: str | Path) -> None:
        """As JSON that can be read and edited."""
        written = json.dumps({"templates": self.templates}, indent=1, ensure_ascii=False)
        Path(path).write_text(written, encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> "LogKeys":
        """What :meth:`save` wrote."""
        return cls(json.loads(Path(path).read_text(encoding="utf-8"))["templates"])


def _miner() -> TemplateMiner:
    config = TemplateMinerConfig()
    config.drain_sim_th, config.drain_depth = SIMILARITY, DEPTH
    config.masking_instructions = [MaskingInstruction(pattern, "*") for pattern in VARIABLE]
    return TemplateMiner(config=config)
