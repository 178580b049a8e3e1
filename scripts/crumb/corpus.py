"""Writes the training text as token ids: rows of one context each, and where to learn.

Files in the cache: tokenizer.json, tokens.npy (uint16 [rows, context + 1]), mask.npy (uint8, the
same shape). Rows start with a chat's beginning; the chat that overflows a row is cut there.
"""

import multiprocessing
import random
from pathlib import Path

import numpy

import tokenizer as tok
from text.chats import Chat, chat
from text.guard import Guard

TOKENIZER_CHATS = 60_000
CHATS_PER_PART = 4_000
"""Chats of one random stream; a part is the unit of work of a process."""


def generate(seed: int, count: int) -> list[Chat]:
    """Checked chats: whatever gives away a piece of the evaluation stops the recipe."""
    rng, guard, chats = random.Random(seed), Guard(), []
    for _ in range(count):
        messages = chat(rng)
        guard.check(message["content"] for message in messages)
        chats.append(messages)
    return chats


def train_tokenizer(path: Path, vocabulary: int, seed: int) -> None:
    texts = (message["content"] for messages in generate(seed, TOKENIZER_CHATS) for message in [{"content": "system\nuser\nassistant\n"}, *messages])
    tok.train(texts, vocabulary).save(str(path))


def _part(job: tuple[int, str, int]) -> tuple[numpy.ndarray, numpy.ndarray]:
    seed, tokenizer_path, length = job
    encoder = tok.ChatEncoder(tok.load(Path(tokenizer_path)))
    rows, masks, ids, mask = [], [], [], []
    for chat_ids, chat_mask in encoder.encode(generate(seed, CHATS_PER_PART)):
        ids += chat_ids
        mask += chat_mask
        if len(ids) >= length:
            rows.append(ids[:length])
            masks.append(mask[:length])
            ids, mask = [], []
    return numpy.array(rows, dtype=numpy.uint16), numpy.array(masks, dtype=numpy.uint8)


def write(cache: Path, context: int, tokens: int, seed: int, processes: int) -> None:
    """About so many tokens, in an order that only the seed decides."""
    rows, masks, total = [], [], 0
    with multiprocessing.Pool(processes) as pool:
        jobs = ((seed + 1 + i, str(cache / "tokenizer.json"), context + 1) for i in range(10**6))
        while total < tokens:
            for part, mask in pool.map(_part, [next(jobs) for _ in range(2 * processes)]):
                rows.append(part)
                masks.append(mask)
                total += part.size
            print(f"text: {total / 1e6:.1f} of {tokens / 1e6:.1f} M tokens", flush=True)
    numpy.save(cache / "tokens.npy", numpy.concatenate(rows))
    numpy.save(cache / "mask.npy", numpy.concatenate(masks))
