"""Writes the training text as token ids, with the weight of each token in the loss.

Files in the cache: tokenizer.json, tokens.npy (uint16), weights.npy (uint8, the weight of each
token in the loss), ends.npy (int64, the end of each chat).
"""

import multiprocessing
import random
import re
from pathlib import Path
from typing import Callable, Iterator

import numpy

import tokenizer as tok
from text.chats import Chat, chat
from text.guard import Guard

TOKENIZER_CHATS = 60_000
CHATS_PER_PART = 4_000
"""Number of chats in one part of the training text. A part has its own random stream, and one process generates it."""
SORTED_AT_ONCE = 3_000
"""Number of chats that are sorted by length together. A larger number means less padding and a less random order."""
DECODED_AT_ONCE = 2_000_000
"""Tokens per decoded piece. `finder` misses a question that spans two pieces: about one in a million."""


def generate(seed: int, count: int) -> list[Chat]:
    """Generates chats. A chat that contains a piece of the evaluation stops the recipe."""
    rng, guard, chats = random.Random(seed), Guard(), []
    for _ in range(count):
        messages = chat(rng)
        guard.check(message["content"] for message in messages)
        chats.append(messages)
    return chats


def train_tokenizer(path: Path, vocabulary: int, seed: int) -> None:
    texts = (message["content"] for messages in generate(seed, TOKENIZER_CHATS) for message in [{"content": "system\nuser\nassistant\n"}, *messages])
    tok.train(texts, vocabulary).save(str(path))


def _part(job: tuple[int, str]) -> tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]:
    seed, tokenizer_path = job
    encoder = tok.ChatEncoder(tok.load(Path(tokenizer_path)))
    encoded = encoder.encode(generate(seed, CHATS_PER_PART))
    ids = numpy.array([token for chat_ids, _ in encoded for token in chat_ids], dtype=numpy.uint16)
    weights = numpy.array([learn for _, chat_weights in encoded for learn in chat_weights], dtype=numpy.uint8)
    return ids, weights, numpy.array([len(chat_ids) for chat_ids, _ in encoded], dtype=numpy.int64)


def write(cache: Path, tokens: int, seed: int, processes: int) -> None:
    """Writes about `tokens` tokens. Their order depends on the seed only."""
    parts, total = [], 0
    with multiprocessing.Pool(processes) as pool:
        jobs = ((seed + 1 + i, str(cache / "tokenizer.json")) for i in range(10**6))
        while total < tokens:
            parts += pool.map(_part, [next(jobs) for _ in range(2 * processes)])
            total = sum(len(ids) for ids, _, _ in parts)
            print(f"text: {total / 1e6:.1f} of {tokens / 1e6:.1f} M tokens", flush=True)
    ids, weights, lengths = (numpy.concatenate(arrays) for arrays in zip(*parts))
    numpy.save(cache / "tokens.npy", ids)
    numpy.save(cache / "weights.npy", weights)
    numpy.save(cache / "ends.npy", numpy.cumsum(lengths))


def finder(cache: Path) -> Callable[[str], bool]:
    """Returns a function that says whether a wording, compared word by word, occurs in the cached training text."""
    tokenizer, ids = tok.load(cache / "tokenizer.json"), numpy.load(cache / "tokens.npy")
    pieces = [_words(tokenizer.decode(ids[i : i + DECODED_AT_ONCE].tolist(), skip_special_tokens=False)) for i in range(0, len(ids), DECODED_AT_ONCE)]
    return lambda wording: any(_words(wording) in piece for piece in pieces)


def _words(text: str) -> str:
    return " " + " ".join(re.findall(r"[a-z0-9']+", text.lower())) + " "


def batches(cache: Path, context: int, size: int, seed: int) -> Iterator[tuple[numpy.ndarray, numpy.ndarray]]:
    """Yields endless batches of whole chats of similar length, padded to the longest, about `size` tokens each.

    Each row holds one chat. With several chats in a row, the network would first have to learn to ignore the earlier ones.
    """
    tokens, weights, ends = (numpy.load(cache / f"{name}.npy") for name in ("tokens", "weights", "ends"))
    starts = numpy.concatenate(([0], ends[:-1]))
    lengths = numpy.minimum(ends - starts, context + 1)
    rng = numpy.random.default_rng(seed)
    while True:
        order = rng.permutation(len(ends))
        for pool in numpy.array_split(order, max(1, len(order) // SORTED_AT_ONCE)):
            pool = pool[numpy.argsort(lengths[pool], kind="stable")]
            groups, first = [], 0
            for i in range(len(pool)):
                if i > first and (i + 1 - first) * lengths[pool[i]] > size:
                    groups.append(pool[first:i])
                    first = i
            groups.append(pool[first:])
            for index in rng.permutation(len(groups)):
                group = groups[index]
                rows = numpy.full((len(group), lengths[group].max()), tok.PAD_ID, dtype=numpy.int64)
                learn = numpy.zeros(rows.shape, dtype=numpy.uint8)
                for row, chat_index in enumerate(group):
                    start, length = starts[chat_index], lengths[chat_index]
                    rows[row, :length] = tokens[start : start + length]
                    learn[row, :length] = weights[start : start + length]
                yield rows, learn
