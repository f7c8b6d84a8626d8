"""Names of columns in Japanese and Chinese, in the words the readers know."""

import re

_WORDS = {
    "学習率|学习率": "lr", "検証|验证|評価|テスト|测试": "val", "学習|訓練|训练": "train",
    "損失|损失|ロス": "loss", "エポック|轮次|轮": "epoch", "ステップ|步数|步|反復|迭代": "step",
    "勾配ノルム|梯度范数": "grad_norm", "パープレキシティ|困惑度": "perplexity",
    "正解率|精度|准确率": "accuracy",
}  # fmt: skip
_ASKED = re.compile("|".join(_WORDS))
_EACH = {word: english for words, english in _WORDS.items() for word in words.split("|")}


def english(name: str) -> str:
    """``検証損失`` -> ``val loss``; other names as they are."""
    if name.isascii():
        return name
    return " ".join(_ASKED.sub(lambda found: f" {_EACH[found[0]]} ", name).split())
