"""A configuration read from a folder is no proof that the weights were."""

import copy
from types import SimpleNamespace
from typing import Any

from torch import nn

from shindan.probes.origins import pretrained
from shindan.probes.session import Session
from shindan.probes.taps.all import tapped


class Model(nn.Module):
    """In the manner of transformers: the configuration remembers where it was read."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config
        self.table, self.head = nn.Embedding(8, 4), nn.Linear(4, 8)

    @classmethod
    def from_pretrained(cls, name: str) -> "Model":
        return cls(SimpleNamespace(_name_or_path=name))


def test_only_what_from_pretrained_made_is_pretrained() -> None:
    session = Session([])
    with tapped(session):
        new = Model(SimpleNamespace(_name_or_path="bert"))
        old = Model.from_pretrained("bert")
        resized = Model.from_pretrained("bert")
        resized.table = nn.Embedding(9, 4)
        again = copy.deepcopy(old)
    before = Model(SimpleNamespace(_name_or_path="bert"))
    models = (new, old, resized, again, before)
    assert [pretrained(m, session.fresh) for m in models] == ["", *["bert"] * 4]
