"""Heads are split or merged by a view without a transpose, or never moved before T at all.

Exact relation of shapes (``probes/reshapes.py``): the elements right of one step of T change by the
factor h. In a next-token model the scramble must also be seen to leak (it always does when h > 1);
attention among heads must be seen to leave the context unused.
"""

from collections.abc import Iterator

from shindan.core.check import Edit, check
from shindan.core.evidence.interventions import (
    AttentionAudit,
    AttentionCall,
    FutureProbe,
    Scramble,
)
from shindan.core.example import Example
from shindan.core.finding import Finding, Where

LEAK = 1e-3
CONTEXT = 1e-3
"""Movement of unchanged positions relative to changed ones: 0 when nothing mixes along T."""


@check(
    id="model/heads-scrambled",
    kind="cause",
    severity="critical",
    grounds="relation",
    refs=(
        "jsbaan/transformer-from-scratch#6",
        "FuxiCTR#30",
        "Chinese-Text-Classification-Pytorch#10",
    ),
    explains=(
        "symptom/below-entropy-floor",
        "symptom/slow-progress",
        "symptom/context-ignored",
        "symptom/at-unigram-line",
    ),
    subsumes=(
        "model/future-leak",
        "model/attention-mask-ignored",
        "model/attention-mask-inverted",
        "model/packed-documents-leak",
        "model/left-padding-positions",
    ),
    fault=(
        Edit(
            script="gpt_plain",
            old="q = q.view(B, T, n_head, C // n_head).transpose(1, 2)  # (B, h, T, d)",
            new="q = q.reshape(B, n_head, T, C // n_head)  # (B, h, T, d)",
        ),
        Edit(
            script="gpt_mingpt",
            old="return self.wo(y.transpose(1, 2).reshape(B, T, D))",
            new="return self.wo(y.reshape(B, T, D))",
        ),
        Edit(
            script="bert_mlm",
            old="x.view(x.size(0), x.size(1), self.heads, self.head_dim).permute(0, 2, 1, 3)",
            new="x.reshape(x.size(0), self.heads, x.size(1), self.head_dim)",
        ),
        Edit(
            script="accumulate_amp",
            old="q, k, v = qkv.permute(2, 0, 3, 1, 4)  # (B, h, T, d) each\n"
            "        attended = F.scaled_dot_product_attention(q, k, v, is_causal=True)\n"
            "        x = x + self.out(attended.transpose(1, 2).reshape(batch, length, hidden))",
            new="q, k, v = qkv.unbind(2)\n"
            "        attended = F.scaled_dot_product_attention(q, k, v, is_causal=True)\n"
            "        x = x + self.out(attended.reshape(batch, length, hidden))",
        ),
    ),
)
def CHECK(audit: AttentionAudit, future: FutureProbe | None) -> Iterator[Finding]:
    """One finding per place."""
    next_token = future is not None and future.lag is not None
    if not next_token or (future is not None and future.leak > LEAK):
        for s in audit.scrambles:
            if s.heads != audit.batch and audit.calls:
                yield Finding(
                    measured={
                        "before": str(s.before),
                        "after": str(s.after),
                        "heads": s.heads,
                        "length": audit.length,
                        "leak": future.leak if future is not None else 0.0,
                    },
                    where=s.where,
                )
    if audit.context is not None and audit.context <= CONTEXT and not audit.scrambles:
        yield from _among_heads(audit)


def _among_heads(audit: AttentionAudit) -> Iterator[Finding]:
    """No call attends over T or over the rows, and positions do not move each other."""
    call = audit.calls[0]
    if call.length not in (audit.length, audit.batch):
        yield Finding(
            measured={
                "before": "(B, T, h, d)",
                "after": "(B, h, T, d)",
                "heads": call.length,
                "length": audit.length,
                "leak": 0.0,
            },
            where=call.where,
            variant="heads",
        )


_CALL = AttentionCall("softmax", Where("t.py", 12), 32, 0.0)
_SPLIT = Scramble(Where("t.py", 9), (8, 32, 64), (8, 4, 32, 16), 4)
SICK = (
    Example(
        evidence=(
            AttentionAudit(32, 8, (_CALL,), scrambles=(_SPLIT,)),
            FutureProbe(1, 1.0, 2.0, 9),
        ),
        finds=({"heads": 4, "leak": 0.5},),
    ),
    Example(
        evidence=(
            AttentionAudit(32, 8, (_CALL,), scrambles=(_SPLIT,)),
            FutureProbe(None, 0.0, 0.0, 0),
        ),
        finds=({"heads": 4},),
    ),
    Example(
        evidence=(
            AttentionAudit(32, 8, (AttentionCall("softmax", Where("t.py", 9), 4),), context=0.0),
        ),
        finds=({"heads": 4, "length": 32},),
    ),
)
HEALTHY = (
    Example(evidence=(AttentionAudit(32, 8, (_CALL,)), FutureProbe(1, 0.0, 2.0, 9))),
    # a relation of shapes that leaks nothing in a causal model is something else
    Example(
        evidence=(
            AttentionAudit(32, 8, (_CALL,), scrambles=(_SPLIT,)),
            FutureProbe(1, 0.0, 2.0, 9),
        )
    ),
    # attention over rows is model/batch-leak; a local mixer beside it uses the context
    Example(evidence=(AttentionAudit(32, 8, (AttentionCall("s", Where(), 8),), context=0.0),)),
    Example(evidence=(AttentionAudit(32, 8, (AttentionCall("s", Where(), 4),), context=0.3),)),
)
