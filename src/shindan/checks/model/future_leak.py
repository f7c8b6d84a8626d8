"""Logits before t move when only tokens from t on are changed.

Exact relation: with a causal mask the movement is 0 (float noise is below 1e-5 of the movement at
the changed tokens). Measured: clean 0.0; no mask 0.2 to 1; one token too far ahead 0.05 and more.
LEAK lies between, far from both. Only where labels count: a prefix may be read both ways.
"""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.interventions import (
    AttentionAudit,
    AttentionCall,
    BatchProbe,
    FutureProbe,
    Scramble,
)
from shindan.core.example import Example
from shindan.core.finding import NOWHERE, Finding, Where

LEAK = 1e-3
OPEN = 1e-3
"""Weight on future keys that makes an attention call the culprit."""


@check(
    id="model/future-leak",
    kind="cause",
    severity="critical",
    grounds="intervention",
    refs=("huggingface/transformers#48745", "huggingface/transformers#48748"),
    explains=("symptom/below-entropy-floor", "symptom/overfit"),
    subsumes=("model/packed-documents-leak", "model/attention-mask-ignored"),
    fault=(
        Edit(
            script="gpt_plain",
            old='        att = att.masked_fill(~self.mask[:T, :T], float("-inf"))\n',
            new="",
        ),
        Edit(
            script="gpt_mingpt",
            old="F.scaled_dot_product_attention(q, k, v, is_causal=True)",
            new="F.scaled_dot_product_attention(q, k, v)",
        ),
        Edit(
            script="seqfirst_lm",
            old="output = self.encoder(x, mask=mask)",
            new="output = self.encoder(x)",
        ),
        Edit(
            script="custom_loss",
            old="future = torch.ones(t, t, dtype=torch.bool).triu(1)",
            new="future = torch.ones(t, t, dtype=torch.bool).triu(2)",
        ),
    ),
)
def CHECK(
    future: FutureProbe, audit: AttentionAudit | None, batch: BatchProbe | None
) -> Iterator[Finding]:
    """The probe itself; the audit says where, and whether another fault explains it."""
    if future.lag is None or future.leak <= LEAK or _rows_mix(batch):
        return
    calls = audit.calls if audit else ()
    openly = [c for c in calls if (c.future or 0.0) > OPEN]
    if audit and audit.scrambles and not openly:
        return
    place = openly[0].where if openly else Where(module=future.module)
    yield Finding(
        measured={
            "leak": future.leak,
            "before": future.before,
            "after": future.after,
            "future": openly[0].future or 0.0 if openly else 0.0,
            "module": future.module or "?",
        },
        where=place,
        variant="" if openly else "elsewhere",
    )


def _rows_mix(batch: BatchProbe | None) -> bool:
    return batch is not None and batch.others > 0 and batch.moved / batch.others > LEAK


_CALL = AttentionCall("softmax", Where("t.py", 9, "h.0"), 32, 0.4)
_MASKED = AttentionCall("softmax", Where("t.py", 9, "h.0"), 32, 0.0)
_SCRAMBLED = AttentionAudit(
    32, 8, (_MASKED,), scrambles=(Scramble(NOWHERE, (8, 32, 64), (8, 4, 32, 16), 4),)
)
SICK = (
    Example(
        evidence=(FutureProbe(1, 1.0, 2.0, 100, "h.0"), AttentionAudit(32, 8, (_CALL,))),
        finds=({"leak": 0.5, "future": 0.4},),
    ),
    Example(evidence=(FutureProbe(1, 1.0, 2.0, 100, "conv"),), finds=({"module": "conv"},)),
)
HEALTHY = (
    Example(evidence=(FutureProbe(1, 0.0, 2.0, 100), AttentionAudit(32, 8, (_MASKED,)))),
    Example(evidence=(FutureProbe(1, 1e-6, 2.0, 100),)),
    # an encoder reads both ways
    Example(evidence=(FutureProbe(None, 0.0, 0.0, 0), AttentionAudit(32, 8, (_CALL,)))),
    # rows mix: model/batch-leak; heads are scrambled: model/heads-scrambled
    Example(evidence=(FutureProbe(1, 1.0, 2.0, 9), BatchProbe(1.0, 2.0, 1.0, True, 8, 32))),
    Example(evidence=(FutureProbe(1, 1.0, 2.0, 9), _SCRAMBLED)),
)
