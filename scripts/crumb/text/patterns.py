"""Patterns: strings with alternatives such as `[one|two|]`, which may be nested, and slots such as `{k}`.

A reading is a pattern with one alternative chosen at each place. `expand` draws one reading,
`readings` lists all. The whole training text is written in this notation, so that a few hundred
lines give very many phrasings.
"""

import random
import re
from functools import lru_cache
from itertools import product
from typing import Mapping, Sequence

Tree = tuple  # ("text", str) | ("seq", [Tree]) | ("alt", [Tree])

IRREGULAR_PLURALS = {
    "mouse": "mice", "goose": "geese", "sheep": "sheep", "fish": "fish", "deer": "deer", "wolf": "wolves",
    "child": "children", "foot": "feet", "tooth": "teeth", "man": "men", "woman": "women", "leaf": "leaves",
    "knife": "knives", "ox": "oxen", "person": "people", "shelf": "shelves", "loaf": "loaves", "half": "halves",
    "calf": "calves", "cactus": "cacti", "swordfish": "swordfish", "salmon": "salmon", "scarf": "scarves",
    "potato": "potatoes", "tomato": "tomatoes", "thief": "thieves", "life": "lives", "jellyfish": "jellyfish",
    "goldfish": "goldfish", "shrimp": "shrimp", "octopus": "octopuses", "firefly": "fireflies", "trout": "trout",
}
AN_EXCEPTIONS = {"unicorn": "a", "university": "a", "hour": "an", "uniform": "a", "ukulele": "a", "honest": "an"}


@lru_cache(maxsize=None)
def parse(pattern: str) -> Tree:
    position = 0

    def alternatives() -> Tree:
        nonlocal position
        options, current, text = [], [], ""
        while position < len(pattern):
            c = pattern[position]
            if c in "[|]":
                if text:
                    current.append(("text", text))
                    text = ""
                if c == "[":
                    position += 1
                    current.append(alternatives())
                elif c == "|":
                    options.append(("seq", current))
                    current = []
                else:
                    break
            else:
                text += c
            position += 1
        if text:
            current.append(("text", text))
        options.append(("seq", current))
        return ("alt", options)

    tree = alternatives()
    assert position == len(pattern), f"unbalanced brackets: {pattern}"
    return tree


def _draw(tree: Tree, rng: random.Random) -> str:
    kind, value = tree
    if kind == "text":
        return value
    if kind == "seq":
        return "".join(_draw(part, rng) for part in value)
    return _draw(value[int(rng.random() * len(value))], rng)


def _all(tree: Tree) -> list[str]:
    kind, value = tree
    if kind == "text":
        return [value]
    if kind == "seq":
        return ["".join(parts) for parts in product(*(_all(part) for part in value))]
    return [text for option in value for text in _all(option)]


def draw(pattern: str, rng: random.Random) -> str:
    """One random reading of the pattern, with its slots still in braces."""
    return _draw(parse(pattern), rng)


def expand(pattern: str, rng: random.Random, slots: Mapping[str, str] = {}) -> str:
    """One random reading of the pattern, with its slots filled."""
    text = draw(pattern, rng)
    return tidy(text.format_map(slots) if "{" in text else text)


def readings(pattern: str, slots: Mapping[str, str] = {}) -> list[str]:
    """Every reading of the pattern."""
    return [tidy(text.format_map(slots)) for text in _all(parse(pattern))]


def tidy(text: str) -> str:
    """Removes the extra spaces that empty alternatives leave."""
    return re.sub(r" +([.,?!;:])", r"\1", re.sub(r" {2,}", " ", text)).strip()


def pick(options: Sequence, rng: random.Random):
    return options[int(rng.random() * len(options))]


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def article(word: str) -> str:
    """Puts "a" or "an" before the word."""
    first = word.split()[0]
    return f"{AN_EXCEPTIONS.get(first, 'an' if first[0].lower() in 'aeiou' else 'a')} {word}"


def plural(word: str) -> str:
    head, _, last = word.rpartition(" ")
    if last in IRREGULAR_PLURALS:
        last = IRREGULAR_PLURALS[last]
    elif last.endswith(("s", "x", "ch", "sh", "z")):
        last += "es"
    elif last.endswith("y") and last[-2] not in "aeiou":
        last = last[:-1] + "ies"
    else:
        last += "s"
    return f"{head} {last}".strip()


def listing(items: Sequence[str]) -> str:
    """"a, b and c"."""
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1]


def words(text: str) -> list[str]:
    """The words and numbers of a text in lower case, to compare two wordings."""
    return re.findall(r"[a-z0-9]+|[+\-*=<>]", text.lower().replace("'", ""))
