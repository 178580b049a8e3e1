"""Keeps the questions of the evaluation out of the training text.

Every question of the evaluation is registered here as a sequence of words. A training message
that contains such a sequence, or a held-out pair of operands, stops the recipe.
"""

import re
from typing import Iterable

from . import arithmetic, chats, facts_potluck, numbers, refusals
from .facts_time import NUMBER_WORDS
from .patterns import words

Words = tuple[str, ...]
INDEX_LENGTH = 3
"""The index finds a sequence by at most this many of its first words."""

_NUMBER = {word: n for n, word in enumerate(NUMBER_WORDS[:21])} | {str(n): n for n in range(21)}
_OPERATION = r"(?:\+|-|plus|minus|take away|less)"
_SUM = re.compile(rf"\b(\d+)\s*{_OPERATION}\s*(\d+)\b|\b([a-z]+)\s+{_OPERATION}\s+([a-z]+)\b|\b(?:add|sum of|do|subtract|take) (\w+) (?:and|to|from|away from) (\w+)\b")


def _static_run(pattern: str) -> Words:
    """The longest sequence of words of a pattern without a slot."""
    return max((tuple(words(part)) for part in re.split(r"\{\w+\}", pattern)), key=len)


def forbidden() -> set[Words]:
    """Every wording of the evaluation."""
    found: set[Words] = set()
    for relation in chats.RELATIONS:
        for key, answer in relation.pairs:
            found |= {tuple(words(question)) for question in relation.held_questions(relation.slots(key, answer))}
    for topic in facts_potluck.TOPICS:
        found |= {tuple(words(question)) for question in topic.held}
    for pattern in arithmetic.HELD_PLUS + arithmetic.HELD_MINUS + [p for held in numbers.HELD.values() for p in held]:
        run = _static_run(pattern)
        if len(run) >= 3:
            found.add(run)
    for question, entity in refusals.HELD:
        found |= {tuple(words(question)), tuple(words(entity))}
    return found


class Guard:
    def __init__(self) -> None:
        self._by_start: dict[Words, list[Words]] = {}
        for sequence in forbidden():
            self._by_start.setdefault(sequence[:INDEX_LENGTH], []).append(sequence)

    def check(self, messages: Iterable[str]) -> None:
        for message in messages:
            reason = self.violation(message)
            if reason:
                raise AssertionError(f"held out: {reason!r} in {message!r}")

    def violation(self, message: str) -> str | None:
        """The piece of the evaluation that the message contains, if any."""
        found = words(message)
        for start in range(len(found)):
            for length in range(1, INDEX_LENGTH + 1):
                for sequence in self._by_start.get(tuple(found[start : start + length]), ()):
                    if tuple(found[start : start + len(sequence)]) == sequence:
                        return " ".join(sequence)
        for groups in _SUM.findall(message.lower()):
            first, second = (operand for operand in groups if operand)
            a, b = _NUMBER.get(first), _NUMBER.get(second)
            if a is not None and b is not None and arithmetic.is_held(a, b):
                return f"operands {a}, {b}"
        return None
