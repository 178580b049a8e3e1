"""The tokenizer, a byte-level BPE with one token per digit, and the chat format.

The pre-tokenizer is llama.cpp's `smollm`: it splits off single digits first, then applies the
pattern of GPT-2. With one token per digit the network can count by copying digits.
"""

import json
from pathlib import Path
from typing import Iterable

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

BEGIN, START, END, PAD = "<|begin|>", "<|im_start|>", "<|im_end|>", "<|pad|>"
SPECIAL = [BEGIN, START, END, PAD]
BEGIN_ID, START_ID, END_ID, PAD_ID = range(4)
PRE_TOKENIZER = "smollm"
"""llama.cpp's name of the pre-tokenizer in `train`."""

CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def train(texts: Iterable[str], vocabulary: int) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, special_tokens=SPECIAL, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    assert tokenizer.get_vocab_size() == vocabulary, f"the text gives only {tokenizer.get_vocab_size()} tokens"
    return tokenizer


def load(path: Path) -> Tokenizer:
    return Tokenizer.from_file(str(path))


def vocabulary(path: Path) -> tuple[list[str], list[str]]:
    """Tokens in the order of their ids, and merges as "left right"."""
    model = json.loads(path.read_text())["model"]
    tokens = [token for token, _ in sorted(model["vocab"].items(), key=lambda entry: entry[1])]
    return tokens, [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]


FULL_WEIGHT = 100
"""Weight in the loss for each token of a short answer."""
SHORT_ANSWER = 12
"""Longest short answer, in tokens. Tokens of longer answers weigh less, so that stories do not outweigh facts."""


def weight(answer_tokens: int) -> int:
    return round(FULL_WEIGHT * min(1.0, (SHORT_ANSWER / answer_tokens) ** 0.5))


class ChatEncoder:
    """Encodes chats to token ids and weights in the loss. Only answers and their end tokens have a weight above 0."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._newline = tokenizer.encode("\n").ids
        self._heads = {role: [START_ID, *tokenizer.encode(f"{role}\n").ids] for role in ("system", "user", "assistant")}

    def encode(self, chats: list[list[dict[str, str]]]) -> list[tuple[list[int], list[int]]]:
        bodies = iter(self._tokenizer.encode_batch([message["content"] for chat in chats for message in chat]))
        encoded = []
        for chat in chats:
            ids, weights = [BEGIN_ID], [0]
            for message in chat:
                head, body = self._heads[message["role"]], next(bodies).ids
                learn = weight(len(body) + 1) if message["role"] == "assistant" else 0
                ids += head + body + [END_ID] + self._newline
                weights += [0] * len(head) + [learn] * (len(body) + 1) + [0] * len(self._newline)
            encoded.append((ids, weights))
        return encoded
