"""Nothing tells the model where a token stands.

Interventions. An encoder: permuting a row's tokens permutes its logits and changes nothing else
(EXACT: rounding; any position signal gives 1e-2 and more). Any model: a row's logits change with
its place in the batch, so positions run along the batch axis. A next-token model: a position table
exists, no other scheme is recognised, and changing the table moves nothing, or a single row of it
is looked up for all positions. A next-token model in which a rotation or the like is at work, or
defined and never called: the last token does not notice that those before it are permuted, in any
module, nor do rows of equal tokens (EXACT). A causal model without any of this (NoPE) is a design.
"""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.interventions import BatchProbe
from shindan.core.evidence.order import OrderTest
from shindan.core.evidence.positions import PositionProbe, PositionTable
from shindan.core.example import Example
from shindan.core.finding import Finding, Where

EXACT = 1e-4
ROWS = 0.01
MIXED = 1e-3


@check(
    id="model/positions-unused",
    kind="cause",
    severity="major",
    grounds="intervention",
    refs=("Lightning-AI/pytorch-lightning#20099", "zju3dv/LoFTR#41", "Kyubyong/transformer#81"),
    explains=("symptom/slow-progress", "symptom/context-ignored", "symptom/at-unigram-line"),
    fault=(
        Edit(
            script="bert_mlm",
            old="        x = x + self.position(torch.arange(ids.size(1)))\n",
            new="",
        ),
        Edit(
            script="gpt_plain",
            old="        x = self.drop(self.wte(idx) + self.wpe(pos))  # (B, T, C)",
            new="        x = self.drop(self.wte(idx))  # (B, T, C)",
        ),
        Edit(
            script="seqfirst_lm",
            old="return self.dropout(x + self.pe[: x.size(0)])",
            new="return self.dropout(x)",
        ),
        Edit(
            script="seqfirst_lm",
            old="return self.dropout(x + self.pe[: x.size(0)])",
            new="return self.dropout(x + self.pe[: x.size(1)].transpose(0, 1))",
        ),
        Edit(
            script="gpt_mingpt",
            old="        q, k = rotate(q), rotate(k)  # (B, h, T, d)\n",
            new="",
        ),
        Edit(
            script="gpt_mingpt",
            old="        q, k = rotate(q), rotate(k)  # (B, h, T, d)\n",
            new="        q, k = (rotate(t.transpose(1, 2)).transpose(1, 2) for t in (q, k))\n",
        ),
    ),
)
def CHECK(positions: PositionProbe, batch: BatchProbe | None) -> Iterator[Finding]:
    """The strongest sign only."""
    if batch is not None and batch.moved > MIXED * batch.others:
        return
    table = positions.tables[0].name if positions.tables else "-"
    measured: dict[str, float | int | str] = {"table": table}
    where = Where(module=table.rpartition(".")[0] or table if positions.tables else None)
    if (positions.row_order or 0.0) > ROWS:
        measured["moved"] = positions.row_order or 0.0
        yield Finding(measured=measured, where=where, variant="batch_axis")
    elif positions.equivariance is not None and positions.equivariance < EXACT:
        measured["moved"] = positions.equivariance
        yield Finding(measured=measured, where=where)
    elif positions.order is not None and _blind(positions.order):
        numbers = {"moved": positions.order.permuted, "modules": positions.order.modules}
        sign = {"name": positions.order.sign}
        yield Finding(measured={**measured, **numbers, **sign}, where=where, variant="order")
    elif positions.lag is not None and not positions.other_scheme and positions.tables:
        yield from _causal(positions, measured, where)


def _blind(order: OrderTest) -> bool:
    apart = max(order.constant, order.permuted)
    return bool(order.modules and order.sign) and apart < EXACT and not order.declined


def _causal(
    positions: PositionProbe, measured: dict[str, float | int | str], where: Where
) -> Iterator[Finding]:
    if all(t.effect == 0 for t in positions.tables):
        yield Finding(measured={**measured, "moved": 0.0}, where=where, variant="table")
    elif all(t.indices == 1 or t.effect == 0 for t in positions.tables):
        moved = max(t.effect for t in positions.tables)
        yield Finding(measured={**measured, "moved": moved}, where=where, variant="one_row")


_USED = PositionTable("wpe.weight", 32, True, 0.4, 32)
_DEAD = PositionTable("wpe.weight", 32, True, 0.0)
_ONE = PositionTable("wpe.weight", 32, True, 0.3, 1)


def _order(**changed: float | int | str | bool) -> tuple[PositionProbe]:
    values = {"constant": 1e-7, "permuted": 1e-6, "modules": 4, "sign": "freqs_cos"}
    order = OrderTest(**{**values, "declined": False, **changed})  # type: ignore[arg-type]
    return (PositionProbe(1, None, 0.0, (), True, order=order),)


SICK = (
    Example(evidence=(PositionProbe(None, 1e-7, 0.0, (_DEAD,), False),), finds=({"moved": 1e-7},)),
    Example(
        evidence=(PositionProbe(1, None, 0.0, (_DEAD,), False),),
        finds=({"table": "wpe.weight"},),
    ),
    Example(evidence=(PositionProbe(1, None, 0.0, (_ONE,), False),), finds=({"moved": 0.3},)),
    Example(evidence=(PositionProbe(1, None, 0.2, (_USED,), False),), finds=({"moved": 0.2},)),
    Example(evidence=_order(), finds=({"name": "freqs_cos", "modules": 4},)),
)
HEALTHY = (
    Example(evidence=(PositionProbe(1, None, 0.0, (_USED,), False),)),
    Example(evidence=(PositionProbe(None, 0.5, 0.0, (_USED,), False),)),
    # NoPE: a causal model without any table
    Example(evidence=(PositionProbe(1, None, 0.0, (), False),)),
    # rotary positions, and a table left over
    Example(evidence=(PositionProbe(1, None, 0.0, (_DEAD,), True),)),
    # rotary or relative positions at work; positions added on the way in
    Example(evidence=_order(permuted=0.02)),
    Example(evidence=_order(constant=0.1, modules=0)),
    # NoPE with a word for it, and NoPE without any rotation in the source
    Example(evidence=_order(declined=True)),
    Example(evidence=_order(sign="")),
    # rows mix: model/batch-leak
    Example(
        evidence=(
            PositionProbe(None, 1e-7, 0.2, (), False),
            BatchProbe(1.0, 2.0, 1.0, True, 8, 32),
        )
    ),
)
