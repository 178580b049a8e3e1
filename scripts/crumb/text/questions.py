"""The questions of the evaluation. The recipe writes them to `evaluation.json`. All are held out of the training text.

An item is {category, relation, question, expect, match}. `match` says how an answer is judged:
- "word": the answer contains an expected word, and no other candidate of the relation, except those that
  the question names itself;
- "last number": the last number of the answer;
- "after the colon": everything after the last colon;
- "any": the answer contains one of several key words;
- "refusal": the answer says that crumb does not know.
`wrong` lists wrong answers whose words all occur in the question.

Facts are asked in two sets of phrasings. The authors of the training text held out the first set; they
know what crumb gets wrong, and this may influence them. The second set is `blind.json`. Its writer saw
one example per relation and nothing else of this folder. The phrasings of the second set that occur in
the training text are left out.
"""

import json
import random
from pathlib import Path
from typing import Callable

from . import arithmetic, chats, numbers, refusals, stories
from .patterns import capital, expand, pick
from .relations import Relation

PER_RELATION = 9
SEED = 31
POTLUCK = "potluck and itself"
BLIND = Path(__file__).resolve().parent.parent / "blind.json"


def build(occurs: Callable[[str], bool]) -> list[dict]:
    """All questions. `occurs` says whether a wording occurs in the training text."""
    rng = random.Random(SEED)
    blind = [item for item in _blind(random.Random(SEED + 2)) if not occurs(item["question"])]
    return [*_facts(rng), *_sums(rng), *_numbers(rng), *_potluck(rng), *_refusals(), *blind]


def candidates() -> dict[str, list[str]]:
    """All answers of each relation. For one question, one of them is right and the others are wrong."""
    found = {r.name: sorted({answer for _, answer in r.pairs}) if r.rivals is None else r.rivals for r in chats.RELATIONS}
    return {name: answers for name, answers in found.items() if answers} | {"temperature": ["hot", "cold"]}


def _item(category: str, relation: str, question: str, expect: list[str], match: str, wrong: list[str] = []) -> dict:
    item = {"category": category, "relation": relation, "question": question, "expect": expect, "match": match}
    return item | {"wrong": wrong} if wrong else item


def _facts(rng: random.Random) -> list[dict]:
    items = []
    for relation in chats.RELATIONS:
        # Each held-out phrasing in turn, each with another fact.
        chosen = rng.sample(relation.pairs, min(PER_RELATION, len(relation.pairs)))
        for index, (key, answer) in enumerate(chosen):
            phrasings = relation.held_questions(relation.slots(key, answer))
            question = phrasings[index % len(phrasings)]
            items.append(_fact(relation, key, answer, question))
    return items


def _fact(relation: Relation, key: str, answer: str, question: str) -> dict:
    accepted = sorted({a for k, a in relation.pairs if k == key})
    wrong = []
    if relation.name == "bigger":
        wrong = [f"{other} is bigger" for other in key.split("|") if other != answer]
    if relation.name == "temperature":
        wrong = [other for other in ("hot", "cold") if other != answer]
    return _item(relation.category, relation.name, question, accepted, "word", wrong)


def _blind(rng: random.Random) -> list[dict]:
    """Every phrasing once, each with another fact of its relation if there are enough facts."""
    written, items = json.loads(BLIND.read_text()), []
    for relation in chats.RELATIONS:
        phrasings = written["relations"].get(relation.name, [])
        enough = len(relation.pairs) >= len(phrasings)
        chosen = rng.sample(relation.pairs, len(phrasings)) if enough else rng.choices(relation.pairs, k=len(phrasings))
        for phrasing, (key, answer) in zip(phrasings, chosen):
            question = capital(phrasing.format_map(relation.slots(key, answer)))
            items.append(_fact(relation, key, answer, question))
    for topic in chats.TOPICS:
        items += [_item(POTLUCK, topic.name, question, topic.must, "any") for question in written["topics"].get(topic.name, [])]
    return [item | {"blind": True} for item in items]


def _sums(rng: random.Random) -> list[dict]:
    items = []
    for problem in arithmetic.EVALUATION:
        seen, new = (arithmetic.PLUS, arithmetic.HELD_PLUS) if problem.plus else (arithmetic.MINUS, arithmetic.HELD_MINUS)
        name = "sum" if problem.plus else "difference"
        for relation, patterns in ((name, seen), (f"{name}, new wording", new)):
            question = arithmetic.ask(rng, pick(patterns, rng), problem, rng.random() < 0.25)
            items.append(_item("sums and differences", relation, question, [str(problem.result)], "last number"))
    return items


def _numbers(rng: random.Random) -> list[dict]:
    items = []
    for kind, patterns in numbers.HELD.items():
        for index in range(8):
            slots, answer = numbers.draw(rng, kind, held=True)
            # The result follows the last colon. The text before it is the working.
            result = answer.rsplit(": ", 1)[-1]
            items.append(_item("counting and sorting", kind, capital(expand(patterns[index % len(patterns)], rng, slots)), [result], "after the colon"))
    return items


def _potluck(rng: random.Random) -> list[dict]:
    return [_item(POTLUCK, topic.name, question, topic.must, "any") for topic in chats.TOPICS for question in topic.held]


def _refusals() -> list[dict]:
    return [_item("does not know", "refusal", question, [], "refusal") for question, _ in refusals.HELD]


def story_prompts() -> list[str]:
    """Twenty requests for a story, in wordings of the training text."""
    rng = random.Random(SEED + 1)
    return [stories.request(rng)[0] for _ in range(20)]
