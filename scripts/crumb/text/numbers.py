"""Counting, sorting, comparing and repeating: small tasks with the words of the question.

Some operand sets are reserved for the evaluation. `is_held_set` decides by their content, so that
no other order of the same items gets into the training text.
"""

import random
import zlib

from .facts_things import COLOURS
from .facts_words import CATEGORIES
from .patterns import capital, expand, listing, pick

NOUNS = [thing for thing, kind in CATEGORIES if kind in ("fruit", "vegetable", "tool", "animal", "furniture", "clothing", "vehicle")]
HELD_SHARE = 10  # one set in ten

COUNT_UP = ["[Count|Please count|Can you count] from {a} to {b}[, please|].", "Count up from {a} to {b}.", "[Say|Write|List|Give me] the numbers from {a} to {b}.", "Which numbers are there from {a} to {b}?", "Start at {a} and count to {b}.", "I want to hear the numbers from {a} to {b}.", "{a} to {b}, please count.",
            "My child learns to count. [Begin|Start] at {a} and stop at {b}.", "List each number from {a} up to {b}.", "Count: first {a}, last {b}.", "Tell me all numbers from {a} through {b}.", "Let us count together from {a} to {b}.", "{a}, and so on, until {b}.", "Go from {a} to {b}, number by number.", "Which numbers come between {a} and {b}? Say {a} and {b} too.",
            "[Say|Name|Write|Print|Tell me|Show|Read out|List|Give|Type] [all|all the|the|each of the|every one of the] numbers [between|from] {a} [and|to|up to|until] {b}[, with both ends|, with both|, {a} and {b} too|, please|].", "[Begin|Start|Commence|Set off] [at|with|from] {a}[,| and|, then] [end|stop|finish|halt|be done] [at|with|on] {b}[: count.|. Count!|, counting up.|.]", "[Let's|Let us|We|I want to|Please] [count|climb|go up|walk up|rise] from {a} [to|until|up to|as far as] {b}[.|!]"]
COUNT_DOWN = ["[Count|Please count|Can you count] [down|backwards|back] from {a} to {b}[, please|].", "[Say|Write|List] the numbers from {a} down to {b}.", "Start at {a} and count down to {b}.", "Count back from {a} until {b}.",
              "Give me a countdown from {a} to {b}.", "The numbers from {a} back to {b}, please.", "Go down from {a} to {b}, number by number.", "Let us count backwards: first {a}, last {b}.", "Backwards from {a}, stop at {b}.",
              "[A countdown|Counting down|Numbers falling|The way down|A rocket counts|Down the stairs]: [from|start at|begin with] {a}[,|] [down to|end at|stop at|to] {b}[.|!|, please.]", "[Say|Name|Write|Print|Tell me|Show|Read out|List|Give|Type] [all|all the|the] numbers [backwards|back|in reverse|downwards|falling] from {a} [to|until|down to|as far as] {b}[.|, please.]", "[Begin|Start|Commence|Set off] [at|with|from] {a}[,| and|, then] [fall|go down|count down|drop|walk down|count backwards] [to|until|as far as] {b}[.|!]"]
SORT_UP = ["[Sort|Order|Arrange] [these numbers|the numbers|]: {l}", "[Put|Bring] these numbers in order: {l}", "[Sort|Order] {l} from small to large.", "Sort from the smallest to the largest: {l}", "Which order is right, smallest first: {l}?", "Please sort {l}.", "Write {l} in order.", "These are not in order: {l}. Help me.", "From low to high: {l}", "Let the numbers grow: {l}", "Which is the right row, from small to big: {l}?", "Tidy up these numbers: {l}",
           "[My|Our|These|Some|The] [numbers|cards|figures|house numbers|values] are [in a mess|mixed|not sorted|upside down|wild|in no order]: {l}. [Sort them|Order them|Put them in a row|Bring order in|Arrange them|Help].", "[Sort|Order|Arrange|Rank|Line up|Put in order|Put in a row|Write down] [these|the numbers|the figures|them|from low to high|from little to much|by size|upwards|in growing order|smallest first|, the smallest first]: {l}", "[Smallest first|Growing|Upwards|By size|Increasing|Ascending]: {l}", "{l}: [sort|order|arrange|line up] [them|these numbers|the numbers|these][ by size| upwards| from low to high|][.|, please.]"]
SORT_DOWN = ["[Sort|Order|Arrange] from large to small: {l}", "Sort {l} from the largest to the smallest.", "Put these numbers in order, largest first: {l}", "Sort backwards: {l}"]
LARGEST = ["Which [number |]is [larger|bigger|greater], {a} or {b}?", "What is more, {a} or {b}?", "Is {a} or {b} the [larger|bigger|greater] number?", "{a} or {b}: which is more?", "The bigger number of {a} and {b}?", "Compare {a} and {b}. Which is larger?",
           "[Of|From|Look at|Here are|I have|There are|You see] {a} and {b}[:|.|,] [which|which one|tell me which|what|say which] [is|counts|must be] [larger|bigger|greater|higher|more|the larger|the bigger]?", "[Choose|Name|Pick|Find|Give me|Tell me|Show me] the [larger|bigger|greater|higher] [one|number|of the two|][: {a} or {b}|, {a} or {b}| of {a} and {b}| from {a} and {b}]."]
SMALLEST = ["Which [number |]is [smaller|less], {a} or {b}?", "What is less, {a} or {b}?", "Is {a} or {b} the smaller number?", "{a} or {b}: which is less?", "The smaller number of {a} and {b}?"]
HOW_MANY = ["How many [words|things|items] are in this list: {l}?", "Count [the words|these things]: {l}", "How many [words|things] do you see: {l}?", "I have {l}. How many things is that?", "How many are there: {l}?"]
REPEAT = ["[Repeat|Say|Write] the word {w} {n} times.", "Say {w} {n} times[, please|].", "Can you write {w} {n} times?", "[Repeat|Say] after me: {s}", "[Repeat|Copy]: {s}", "Please say: {s}"]

HELD = {
    "count up": ["Recite every number between {a} and {b}, both included.", "Let us count: begin with {a}, finish with {b}."],
    "count down": ["Like a rocket launch: from {a} down to {b}.", "Recite the numbers backwards, beginning with {a} and finishing with {b}."],
    "sort up": ["My numbers are mixed up: {l}. Bring them into rising order.", "Line these up so that they grow: {l}"],
    "larger": ["Between {a} and {b}, which one would be the larger?", "Two numbers, {a} and {b}: say which one is bigger."],
}


def is_held_set(kind: str, items) -> bool:
    key = kind + ",".join(sorted(str(item) for item in items))
    return zlib.crc32(key.encode()) % HELD_SHARE == 0


def draw(rng: random.Random, kind: str, held: bool) -> tuple[dict[str, str], str]:
    """The slots and the answer of one task of the kind, with either held-out or training operands."""
    while True:
        items, slots, answer = _draw(rng, kind)
        if is_held_set(kind, items) == held:
            return slots, answer


def _draw(rng: random.Random, kind: str) -> tuple[list, dict[str, str], str]:
    if kind == "count up":
        a = rng.randint(0, 40)
        b = a + rng.randint(2, 12)
        return [a, b], {"a": str(a), "b": str(b)}, f"From {a} up to {b}: {', '.join(map(str, range(a, b + 1)))}."
    if kind == "count down":
        b = rng.randint(0, 20)
        a = b + rng.randint(2, 12)
        return [a, b], {"a": str(a), "b": str(b)}, f"From {a} down to {b}: {', '.join(map(str, range(a, b - 1, -1)))}."
    if kind in ("sort up", "sort down"):
        items = rng.sample(range(0, 30), rng.randint(2, 4))
        return items, {"l": pick([", ".join(map(str, items)), listing(list(map(str, items)))], rng)}, _sorting(items, kind == "sort down")
    if kind in ("larger", "smaller"):
        items = rng.sample(range(0, 100), 2)
        result = max(items) if kind == "larger" else min(items)
        return items, {"a": str(items[0]), "b": str(items[1])}, f"{items[0]} and {items[1]}: {result} is {kind} than {sum(items) - result}."
    assert kind == "how many", kind
    items = rng.sample(NOUNS, rng.randint(2, 7))
    working = ", ".join(f"{item} ({i})" for i, item in enumerate(items, 1))
    return items, {"l": pick([", ".join(items), listing(items)], rng)}, f"{capital(working)}. That makes {len(items)}."


def _sorting(items: list[int], down: bool) -> str:
    """E.g. "8, 22, 3. 3 from 8, 22, 3; 8 from 8, 22; 22 from 22: 3, 8, 22." Each step removes the next item from the rest."""
    steps, left = [], list(items)
    while left:
        first = max(left) if down else min(left)
        steps.append(f"{first} from {', '.join(map(str, left))}")
        left.remove(first)
    return f"{', '.join(map(str, items))}. {'; '.join(steps)}: {', '.join(map(str, sorted(items, reverse=down)))}."


PATTERNS = {"count up": COUNT_UP, "count down": COUNT_DOWN, "sort up": SORT_UP, "sort down": SORT_DOWN, "larger": LARGEST, "smaller": SMALLEST, "how many": HOW_MANY}
WEIGHTS = {"count up": 3, "count down": 2, "sort up": 4, "sort down": 2, "larger": 3, "smaller": 1.5, "how many": 1.5}


def exchange(rng: random.Random) -> tuple[str, str]:
    """A training question and its answer."""
    if rng.random() < 0.12:
        return _repeat(rng)
    if rng.random() < 0.1:
        return _examples(rng)
    kind = rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
    slots, answer = draw(rng, kind, held=False)
    return capital(expand(pick(PATTERNS[kind], rng), rng, slots)), answer


def _repeat(rng: random.Random) -> tuple[str, str]:
    word, times = pick(NOUNS, rng), rng.randint(2, 6)
    thing, colour = pick(COLOURS, rng)
    sentence = pick([f"{thing} is {colour}", f"I like {word}", f"the {word} is here", f"{word} and {pick(NOUNS, rng)}", f"good morning, {word}"], rng)
    pattern = pick(REPEAT, rng)
    number = {2: "two", 3: "three", 4: "four", 5: "five", 6: "six"}[times]
    question = expand(pattern, rng, {"w": word, "n": pick([number, str(times)], rng), "s": sentence})
    return question, capital(sentence) + "." if "{s}" in pattern else capital(", ".join([word] * times)) + "."


def _examples(rng: random.Random) -> tuple[str, str]:
    kind = pick(["fruit", "vegetable", "tool", "animal", "vehicle", "colour", "flower", "instrument", "tree", "month"], rng)
    items = rng.sample([thing for thing, k in CATEGORIES if k == kind], 3)
    many = {"fruit": "fruits"}.get(kind, kind + "s")
    question = expand(f"[Name|List|Tell me|Give me|Can you name|I need] [three|3] {many}.", rng)
    return question, capital(listing(items)) + "."
