"""transformers example style: Trainer, a tiny GPT-2, and a tokenizer built in the script."""

import random
import tempfile

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    DataCollatorForLanguageModeling,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedTokenizerFast,
    Trainer,
    TrainingArguments,
    set_seed,
)

SPECIALS = ["<pad>", "<s>", "</s>"]
KEYS = [f"key{i}" for i in range(4)]
SYMBOLS = [f"w{i}" for i in range(16)]


def build_tokenizer():
    vocab = {word: i for i, word in enumerate(SPECIALS + KEYS + SYMBOLS)}
    backend = Tokenizer(models.WordLevel(vocab))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", bos_token="<s>", eos_token="</s>"
    )


def make_texts(n_texts, seed):
    """Texts `key w w w ...`; the key chooses which 4 successors a word may have."""
    language, rng = random.Random(0), random.Random(seed)
    successors = {(key, w): language.sample(SYMBOLS, 4) for key in KEYS for w in SYMBOLS}
    texts = []
    for _ in range(n_texts):
        words = [rng.choice(KEYS), rng.choice(SYMBOLS)]
        for turn in rng.choices(range(4), weights=[60, 20, 10, 10], k=rng.randint(12, 28)):
            words.append(successors[words[0], words[-1]][turn])
        texts.append(" ".join(words))
    return texts


class TextDataset(torch.utils.data.Dataset):
    def __init__(self, texts, tokenizer, max_length=32):
        self.encodings = [
            tokenizer(text, truncation=True, max_length=max_length, return_token_type_ids=False)
            for text in texts
        ]

    def __len__(self):
        return len(self.encodings)

    def __getitem__(self, i):
        return self.encodings[i]


def main():
    set_seed(42)
    tokenizer = build_tokenizer()
    train_dataset = TextDataset(make_texts(1600, seed=1), tokenizer)
    eval_dataset = TextDataset(make_texts(128, seed=2), tokenizer)
    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_positions=32,
        n_embd=64,
        n_layer=2,
        n_head=4,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = GPT2LMHeadModel(config)
    collator = DataCollatorForLanguageModeling(tokenizer, mlm=False)
    with tempfile.TemporaryDirectory() as output_dir:
        args = TrainingArguments(
            output_dir=output_dir,
            num_train_epochs=1,
            per_device_train_batch_size=8,
            per_device_eval_batch_size=64,
            gradient_accumulation_steps=2,
            learning_rate=6e-3,
            warmup_steps=10,
            lr_scheduler_type="cosine_with_min_lr",
            lr_scheduler_kwargs={"min_lr_rate": 0.1},
            weight_decay=0.01,
            max_grad_norm=2.0,
            eval_strategy="steps",
            eval_steps=50,
            logging_steps=10,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            use_cpu=True,
            seed=42,
        )
        trainer = Trainer(
            model=model,
            args=args,
            data_collator=collator,
            train_dataset=train_dataset,
            eval_dataset=eval_dataset,
            processing_class=tokenizer,
        )
        print(f"before training: {trainer.evaluate()['eval_loss']:.4f}")
        trainer.train()
        print(f"after training: {trainer.evaluate()['eval_loss']:.4f}")


if __name__ == "__main__":
    main()
