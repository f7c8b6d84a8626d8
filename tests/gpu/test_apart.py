"""Documents kept apart by the kernel for unequal lengths: what the mask says, and its gradients."""

import pytest
import torch

from shindan.reference.data.collate import starts_of
from shindan.reference.models.bert import BertConfig, MaskedLM
from shindan.reference.models.causal import CausalConfig, CausalLM
from shindan.reference.models.layers import varlen_attn

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
    pytest.mark.skipif(varlen_attn is None, reason="needs torch >= 2.10"),
]


def model(kind: str) -> MaskedLM | CausalLM:
    torch.manual_seed(0)
    sizes = {"vocab_size": 99, "hidden": 128, "layers": 2, "heads": 2, "intermediate": 256}
    if kind == "bert":
        return MaskedLM(BertConfig(**sizes, max_positions=64, attention_dropout=0.0)).cuda()  # type: ignore[arg-type]
    return CausalLM(CausalConfig(**sizes, max_positions=64, attention_dropout=0.0)).cuda()  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["bert", "gpt"])
def test_kernel_says_what_the_mask_says(kind: str) -> None:
    net = model(kind).eval()
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(1, 99, (4, 64), generator=generator)
    documents = (torch.rand(4, 64, generator=generator) < 0.1).cumsum(1)
    found = []
    for starts in (None, starts_of(documents).cuda()):
        net.zero_grad()
        with torch.autocast("cuda", torch.bfloat16):
            hidden = net.encode(ids.cuda(), documents=documents.cuda(), starts=starts)
        hidden.float().square().mean().backward()
        gradients = torch.cat([p.grad.flatten() for p in net.parameters() if p.grad is not None])
        found.append((hidden.detach().float(), gradients))
    (by_mask, of_mask), (by_kernel, of_kernel) = found
    assert (by_mask - by_kernel).norm() < 0.02 * by_mask.norm()  # bf16 has 8 bits: .004 a rounding
    assert (of_mask - of_kernel).norm() < 0.02 * of_mask.norm()
