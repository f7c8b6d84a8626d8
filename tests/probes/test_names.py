"""Names of ids are read without running a line of the script's own mappings."""

import re
from collections import OrderedDict, UserDict
from types import SimpleNamespace
from typing import Any

import torch

from shindan.probes.names import flags, special_ids, tensors_named


class Lazy(OrderedDict[str, int]):
    """As transformers' lazy tables of models: its ``get`` demands a default and imports a model."""

    def get(self, key: str, default: Any) -> Any:  # type: ignore[override]
        raise ImportError(key, default)

    def __getitem__(self, key: str) -> int:
        raise ImportError(key)

    def items(self) -> Any:
        raise ImportError


def test_a_mapping_with_its_own_get_is_read_past_it() -> None:
    table = Lazy({"[PAD]": 3, "[MASK]": 4})
    assert {("pad", 3), ("mask", 4)} <= special_ids(10).script
    assert len(table) == 2


def test_flags_are_found_in_configurations() -> None:
    config = SimpleNamespace(train_on_inputs=True, rate=0.1)
    settings = {"freeze_table": True}
    freeze_table = False
    table = Lazy({"[PAD]": 3})
    found = flags()
    assert found["train_on_inputs"] is True
    assert found["freeze_table"] is False  # the script's own variable comes first
    assert (config.rate, len(settings), freeze_table, len(table)) == (0.1, 1, False, 1)


def test_masks_are_found_in_batches() -> None:
    attention_mask = torch.ones(2, 3)
    batch = UserDict({"attention_mask": torch.zeros(2, 3), "ids": torch.zeros(2, 3)})
    table = Lazy({"[PAD]": 3})
    found = [t for name, t in tensors_named(re.compile("attention_mask"))]
    assert any(t is attention_mask for t in found)
    assert any(t is batch["attention_mask"] for t in found)
    assert len(table) == 1
