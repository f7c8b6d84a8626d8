"""Names of ids are read without running a line of the script's own mappings."""

from collections import OrderedDict
from typing import Any

from shindan.probes.names import special_ids


class Lazy(OrderedDict[str, int]):
    """As transformers' lazy tables of models: its ``get`` demands a default and imports a model."""

    def get(self, key: str, default: Any) -> Any:  # type: ignore[override]
        raise ImportError(key, default)

    def __getitem__(self, key: str) -> int:
        raise ImportError(key)


def test_a_mapping_with_its_own_get_is_read_past_it() -> None:
    table = Lazy({"[PAD]": 3, "[MASK]": 4})
    assert {("pad", 3), ("mask", 4)} <= special_ids(10).script
    assert len(table) == 2
