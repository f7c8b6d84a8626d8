"""Real tokens a second, ours against HF Trainer on the same model and data, in one run on a GPU.

    python benchmarks/throughput.py OUT [--arms ...] [--updates 60]

The masked model is BERT-base (dropout .1, none in attention, rows of 512) on the sections of
WikiText-2, each a document: padded rows are 59 % full. The causal one is GPT-2 124M on rows of
1,024 without padding. Padding is never counted. The first half of the updates, in which things are
compiled, is not counted either; evaluations lie outside.
"""

import argparse
import gzip
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

HEADING = re.compile(r" = .* = $")
BERT = ["bert-mlm", "size=base", "model.attention_dropout=0", "length=512", "batch_size=64",
        "precision=bf16"]  # fmt: skip
GPT = ["causal-mix", "size=124m", "evaluation_rows=8"]
OURS = {
    "BERT, ours, packed, compiled": [*BERT, "pack=true", "compile=true"],
    "BERT, ours, padded, compiled": [*BERT, "compile=true"],
    "BERT, ours, packed, eager": [*BERT, "pack=true"],
    "GPT-2, ours, compiled": GPT,
    "GPT-2, ours, documents apart, compiled": [*GPT, "separate_documents=true"],
}
HF = {
    "BERT, HF Trainer, eager": ("bert", False),
    "BERT, HF Trainer, compiled": ("bert", True),
    "GPT-2, HF Trainer, eager": ("gpt2", False),
    "GPT-2, HF Trainer, compiled": ("gpt2", True),
}


def main() -> None:
    """Run the arms one after another and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--updates", type=int, default=60)
    parser.add_argument("--arms", nargs="+", choices=[*OURS, *HF], default=[*OURS, *HF])
    parser.add_argument("--set", nargs="*", default=[], help="key=value of all arms of ours")
    parser.add_argument("--one", choices=HF, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    sections = asked.out / "sections.jsonl"
    if not sections.exists():
        texts = sections_of(asked.data / "wikitext-2/train.raw.gz")
        sections.write_text("".join(json.dumps({"text": t}) + "\n" for t in texts), "utf-8")
    if asked.one:
        print(json.dumps(hf(*HF[asked.one], sections, asked)))
        return
    for arm in asked.arms:
        began = time.monotonic()
        try:
            rate = ours(arm, sections, asked) if arm in OURS else alone(arm, asked)
            said = f"{rate:10,.0f} tokens/s"
        except subprocess.CalledProcessError as error:
            said = f"failed: {(error.stderr or '')[-600:]}"
        print(f"{arm:<42}{said}   ({time.monotonic() - began:.0f} s)", flush=True)


def sections_of(path: Path) -> Iterator[str]:
    """WikiText cut at every heading."""
    section: list[str] = []
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            if HEADING.match(line.rstrip("\n")) and section:
                yield "".join(section)
                section = []
            section.append(line)
    yield "".join(section)


def ours(arm: str, sections: Path, asked: argparse.Namespace) -> float:
    """Of ``shindan train``: tokens of an update over its seconds, the median of the second half."""
    folder = asked.out / re.sub(r"\W+", "-", arm)
    vocabulary = "minilm_vocab" if arm.startswith("BERT") else "gpt2_bpe"
    words = [
        *OURS[arm], f"data={sections}", f"tokenizer={asked.data / vocabulary}",
        f"max_updates={asked.updates}", f"evaluate_every={asked.updates}", "log_every=1",
        "plot=false", f"output_dir={folder}", *asked.set,
    ]  # fmt: skip
    command = [sys.executable, "-m", "shindan", "train", *words, "--quiet"]
    subprocess.run(command, check=True, capture_output=True, text=True)
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").open()]
    train = [line for line in lines if line["kind"] == "train"]
    half = train[len(train) // 2 :]
    tokens = half[-1]["tokens"] - train[len(train) // 2 - 1]["tokens"]
    return float(tokens / sum(line["seconds"] for line in half))


def alone(arm: str, asked: argparse.Namespace) -> float:
    """HF Trainer in a process of its own."""
    command = [sys.executable, __file__, str(asked.out), "--data", str(asked.data), "--one", arm,
               "--updates", str(asked.updates)]  # fmt: skip
    made = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(json.loads(made.stdout.splitlines()[-1]))


def hf(kind: str, compiled: bool, sections: Path, asked: argparse.Namespace) -> float:
    """Tokens a second of HF Trainer over the second half of its updates."""
    import torch
    import transformers as tf

    seconds: list[float] = []

    class Clock(tf.TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *_: Any, **__: Any) -> None:
            torch.cuda.synchronize()
            seconds.append(time.perf_counter())

    texts = [json.loads(line)["text"] for line in sections.open(encoding="utf-8")]
    rows, model, collate, batch = (
        bert(texts, asked, tf) if kind == "bert" else gpt2(texts, asked, tf)
    )
    arguments = tf.TrainingArguments(
        output_dir=str(asked.out / "hf"), max_steps=asked.updates, bf16=True,
        per_device_train_batch_size=batch, torch_compile=compiled, optim="adamw_torch_fused",
        dataloader_num_workers=4, report_to=[], save_strategy="no", logging_strategy="no",
        logging_nan_inf_filter=False, dataloader_drop_last=True,
    )  # fmt: skip
    trainer = tf.Trainer(
        model=model, args=arguments, train_dataset=rows, data_collator=collate, callbacks=[Clock()]
    )
    trainer.train()
    steps = [after - before for before, after in pairwise(seconds)]
    half = steps[len(steps) // 2 :]
    mean_tokens = sum(len(row["input_ids"]) for row in rows) / len(rows) * batch
    return mean_tokens / (median(half) if compiled else sum(half) / len(half))


def bert(texts: list[str], asked: argparse.Namespace, tf: Any) -> tuple[Any, ...]:
    """Rows cut at 512 (longer ones make several), padded to 512: what a compiled model wants."""
    from tokenizers import Tokenizer

    inner = Tokenizer.from_file(str(asked.data / "minilm_vocab/tokenizer.json"))
    inner.no_padding()
    inner.no_truncation()
    tokenizer = tf.PreTrainedTokenizerFast(
        tokenizer_object=inner, unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        pad_token="[PAD]", mask_token="[MASK]",
    )  # fmt: skip
    rows = []
    for each in inner.encode_batch(texts, add_special_tokens=False):
        for first in range(0, len(each.ids), 510):
            ids = [tokenizer.cls_token_id, *each.ids[first : first + 510], tokenizer.sep_token_id]
            rows.append({"input_ids": ids})
    config = tf.BertConfig(attention_probs_dropout_prob=0.0)
    masks = tf.DataCollatorForLanguageModeling(tokenizer, pad_to_multiple_of=512)
    return rows, tf.BertForMaskedLM(config), masks, 64


def gpt2(texts: list[str], asked: argparse.Namespace, tf: Any) -> tuple[Any, ...]:
    """One stream cut every 1,024 tokens."""
    from tokenizers import ByteLevelBPETokenizer

    folder = asked.data / "gpt2_bpe"
    inner = ByteLevelBPETokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))
    stream = [i for each in inner.encode_batch(texts) for i in [*each.ids, 50256]]
    cut = [stream[i : i + 1024] for i in range(0, len(stream) - 1024, 1024)]
    rows = [{"input_ids": ids, "labels": ids} for ids in cut]
    config = tf.GPT2Config(
        vocab_size=50304, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, use_cache=False
    )
    return rows, tf.GPT2LMHeadModel(config), tf.default_data_collator, 64


if __name__ == "__main__":
    main()
