"""Sums and differences up to 20.

crumb cannot know a sum that it has never seen, but it can count. So every answer counts up or
down step by step, with the number of the step in brackets, and ends with the result. One operand
pair in five is reserved for the evaluation, in both orders and for both operations.
"""

import random
from dataclasses import dataclass

from . import loosen
from .facts_time import NUMBER_WORDS
from .patterns import capital, draw, expand, pick

LIMIT = 20
HELD_SHARE = 0.2
SUMS = [(a, b) for a in range(LIMIT + 1) for b in range(LIMIT + 1 - a)]
DIFFERENCES = [(a, b) for a in range(LIMIT + 1) for b in range(a + 1)]
THINGS = ["apples", "pears", "nuts", "stones", "books", "eggs", "coins", "stars", "balls", "cookies", "flowers", "pencils", "shells", "cards", "plums", "fish", "buttons", "cups", "stamps", "berries"]
PEOPLE = ["Anna", "Ben", "Mia", "Tom", "Leo", "Ida", "Nora", "Sam", "Lena", "Max", "Ruth", "Paul", "Ella", "Finn", "Zoe", "Otto"]


def held_pairs(seed: int = 20) -> frozenset[tuple[int, int]]:
    """The operand pairs that the training text never contains. Unordered; the smaller operand comes first."""
    rng = random.Random(seed)
    pairs = sorted({(min(p), max(p)) for p in SUMS + DIFFERENCES})
    # Sums with 0 or 1 hardly test the skill, so they stay in training.
    hard = [pair for pair in pairs if pair[0] > 1]
    return frozenset(rng.sample(hard, int(HELD_SHARE * len(pairs))))


HELD = held_pairs()


def is_held(a: int, b: int) -> bool:
    return (min(a, b), max(a, b)) in HELD


@dataclass(frozen=True)
class Problem:
    a: int
    b: int
    plus: bool

    @property
    def result(self) -> int:
        return self.a + self.b if self.plus else self.a - self.b


TRAINING = [Problem(a, b, True) for a, b in SUMS if not is_held(a, b)] + [Problem(a, b, False) for a, b in DIFFERENCES if not is_held(a, b)]
EVALUATION = [Problem(a, b, True) for a, b in SUMS if is_held(a, b)] + [Problem(a, b, False) for a, b in DIFFERENCES if is_held(a, b)]

PLUS = [
    "{a} + {b}", "{a} + {b} =", "{a}+{b}", "{a}+{b}=?", "[What is|What's|How much is|whats|Calculate|Compute|Work out|Tell me|Solve] {a} [+|plus] {b}?", "[How much|What] [is|do you get for|makes] {a} [plus|and] {b}?", "[Add|Please add] {a} and {b}.", "Add {b} to {a}.",
    "What is the sum of {a} and {b}?", "[Can|Could|Will] you [add|sum up] {a} and {b}?", "{a} plus {b} [is|equals|makes] [what|how much]?", "I add {a} and {b}. What do I get?", "What do {a} and {b} make[ together|]?", "{a} and {b} together, how much is that?", "Sum: {a} and {b}",
    "[{p} has|I have] {a} {t} and [gets|finds|buys] {b} more. How many {t} are there now?", "There are {a} {t} on the table and {b} in the box. How many {t} [are there|is that] [in all|together]?", "{p} has {a} {t} and {q} has {b}. How many {t} do they have together?",
    "{a} {t} and {b} {t}, how many {t}?", "First I found {a} {t}, then {b} more. How many {t} did I find?", "Please do this sum: {a} + {b}", "I need the result of {a} + {b}.", "{a} plus {b}", "Do you know what {a} + {b} is?",
    "[In the|There are] [box|bag|bowl|garden|room|pot] [are|there are|] {a} {t}. {p} [puts in|adds|brings|throws in|lays down] {b} more. How many [are there now|{t} are there|do I count]?", "{p} [bakes|paints|draws|collects|picks] {a} {t} in the morning and {b} in the evening. How many is that?",
    "{a} {t} here, {b} {t} there. [How many|What is the number] in all?", "If I have {a} and get {b}, [how many do I have|what do I have then|which number is it]?", "What number is {b} more than {a}?", "Which number is {b} bigger than {a}?", "{p} is {a} years old. How old will [she|he] be in {b} years?",
    "Put {b} on top of {a}. Which number is that?", "Start with {a} and go up {b}. Where are you?", "Help me to add {a} to {b}.", "Count {a} {t} and then {b} {t}. What is the number?", "Sum up {a} and {b}.", "I walk {a} steps and then {b} steps. How many steps?", "[Is|Does] {a} + {b} [make|equal] what number?", "The sum {a} + {b}, please.", "Can you tell me how much {a} and {b} make?",
    "{p}'s [bag|basket|bucket|cup|drawer] has {a} {t} in it. {b} more [go in|are added|come]. How many now?", "A [box|jar|bowl|chest] [has|contains|is filled with] {a} {t}; then {p} [adds|lays in|brings] {b}. How many does it hold?", "What comes out [if|when] I add {b} to {a}?", "What is the total if I have {a} {t} and {b} {t}?", "What will {a} plus {b} be?",
    "Work this out: {a} plus {b}.", "Can you do {a} + {b}?", "Join {a} and {b}. What number do you have?", "{a} and {b} make which number?", "Raise {a} by {b}.", "{p} counts {a} {t}, {q} counts {b}. How many did they count in all?", "On the bus are {a} people, and {b} get on. How many people are there?",
]
MINUS = [
    "{a} - {b}", "{a} - {b} =", "{a}-{b}", "{a}-{b}=?", "[What is|What's|How much is|whats|Calculate|Compute|Work out|Tell me|Solve] {a} [-|minus] {b}?", "[How much|What] is {a} [minus|less|take away] {b}?", "[Subtract|Take] {b} from {a}.", "Take {b} away from {a}.",
    "What is the difference of {a} and {b}?", "[Can|Could|Will] you [subtract|take] {b} from {a}?", "{a} minus {b} [is|equals|makes] [what|how much]?", "I take {b} away from {a}. What is left?", "What is left of {a} without {b}?", "What remains if I take {b} from {a}?", "Difference: {a} minus {b}",
    "[{p} has|I have] {a} {t} and [loses|gives away|eats|sells] {b}. How many {t} are left?", "There were {a} {t} on the table. {p} took {b}. How many {t} are left?", "{p} has {a} {t} and {q} has {b}. How many more does {p} have?",
    "{a} {t} minus {b} {t}, how many {t}?", "Of {a} {t}, {b} are gone. How many {t} are still there?", "Please do this: {a} - {b}", "I need the result of {a} - {b}.", "{a} minus {b}", "Do you know what {a} - {b} is?",
    "[In the|There are] [box|bag|bowl|garden|room|pot] [are|there are|] {a} {t}. {p} [takes out|takes away|removes|steals|eats] {b}. How many [are there now|{t} are there|do I count|stay]?", "{p} [had|got|bought] {a} {t} and [broke|lost|sold|gave me] {b} of them. How many is that now?",
    "{a} {t}, but {b} [are bad|fall down|fly away|go home]. [How many|What is the number] in the end?", "If I have {a} and give away {b}, [how many do I have|what do I have then|which number is it]?", "What number is {b} less than {a}?", "Which number is {b} smaller than {a}?", "{p} is {a} years old. How old was [she|he] {b} years ago?",
    "Start with {a} and go down {b}. Where are you?", "Help me to subtract {b} from {a}.", "Make {a} smaller by {b}. What is it?", "I have to walk {a} steps and did {b}. How many steps are left?", "[Is|Does] {a} - {b} [make|equal] what number?", "The difference {a} - {b}, please.", "Can you tell me how much {a} minus {b} is?", "How far is it from {b} to {a}?", "Cut {b} off {a}. What is left?",
    "{p}'s [bag|basket|bucket|cup|drawer] has {a} {t} in it. {b} [go out|are gone|fall out]. How many now?", "A [box|jar|bowl|chest] [has|contains|is filled with] {a} {t}; then {p} [takes|removes|gets out|throws away] {b}. How many does it hold?", "What comes out [if|when] I take {b} from {a}?", "What stays if {b} [go|are taken] away from {a}?", "What will {a} minus {b} be?",
    "Work this out: {a} minus {b}.", "Can you do {a} - {b}?", "Lower {a} by {b}.", "{a} without {b} is which number?", "{p} wants {a} {t} and has {b}. How many are missing?", "On the bus are {a} people, and {b} get off. How many people are there?", "From {a} remove {b}.",
]
HELD_PLUS = ["If you put {a} and {b} together, which number comes out?", "Give me the total of {a} and {b}.", "A basket holds {a} {t}; {p} drops in {b} more. What is the count now?", "Could you work {a} plus {b} out for me?", "What does {a} + {b} come to?"]
HELD_MINUS = ["If {b} is removed from {a}, which number stays?", "Reduce {a} by {b}.", "A basket holds {a} {t}; {p} picks out {b}. What is the count now?", "Could you work {a} minus {b} out for me?", "What does {a} - {b} come to?"]
FORMULAS = [
    "{e}", "{e} [gives|yields|makes|equals|results in|amounts to|adds up to|ends at|is worth|leads to] what?", "[What|Which number|How much] [does|would|might|will] {e} [give|yield|make|equal|result in|amount to|produce|bring|leave|be worth]?", "[I typed|I wrote|The book says|On the board stands|My homework is|The task is|Here is|The teacher wrote|On my paper is|It says] {e}[. What is right?|. What is it?|. What comes out?|. And the result?|; help me.|. How much?]",
    "[Find|Get|Give me|Determine|Evaluate|Figure out|Reckon|Do|Show|Answer|Check|Finish] {e}[, please|][.|!]", "[The result|The value|The answer|The outcome|The solution] [of|to|for] {e}[?|, please.| is what?]", "[Would|Could|Can|Will] you [calculate|compute|reckon|solve|figure out|evaluate|do|find] {e}[ for me|, please|]?", "[How|What] [about|is] {e}[ then|]?", "[Is it hard to|I cannot|Help me to|Please] [calculate|compute|solve|do|find] {e}[.|?]",
    "[What|Which number] [is the result|is the answer|is the value|do I get|comes out|do we reach] [for|from|with|of] {e}?", "[My brother|Anna|The computer|A pupil] [wants|needs|asks for|has to find] {e}.", "If {e} is [asked|the question|the task], what do I [say|write|answer]?",
]
"""Frames for a bare formula, in which only the sign names the operation."""
SHARE_FORMULAS = 0.35
BASKET = "[basket|bag|box|jar|bowl|cup|tin|bucket|drawer|pocket|chest|sack|cart|net|case]"
GET = "[puts in|adds|lays in|throws in|pours in|brings|packs in|slips in|places inside|finds|receives|wins|buys|is given|picks up|collects|earns]"
LOSE = "[takes out|takes away|pulls out|lifts out|grabs|removes|eats|loses|sells|breaks|gives away|hands out|uses up|throws away|lends|fishes out|carries off|drops|spends|burns|steals]"
WIDE_PLUS = [
    f"[A|The|This|My|Her] {BASKET} [has|contains|keeps|stores|is full of|with|of] {{a}} {{t}}[;|,|.|, and|, then] {{p}} {GET} {{b}}[ more| others|]. [How many|What number|Which total|How large is the number] [now|is it now|are there now|is there in the end|do we count|{{t}}]?",
    f"{{p}} [owns|has|keeps|holds|carries] {{a}} {{t}} and {GET} {{b}}[ more| new ones|]. [How many|Which number|What total|What] [now|is it now|does {{p}} have|are there|is that]?",
]
WIDE_MINUS = [
    f"[A|The|This|My|Her] {BASKET} [has|contains|keeps|stores|is full of|with|of] {{a}} {{t}}[;|,|.|, and|, then|, but] {{p}} {LOSE} {{b}}[ of them|]. [How many|What number|Which total|How large is the number] [now|is it now|are there now|is there in the end|do we count|{{t}}|stay|are left|remain]?",
    f"{{p}} [owns|has|keeps|holds|carries] {{a}} {{t}} and {LOSE} {{b}}[ of them|]. [How many|Which number|What] [now|is it now|does {{p}} have|are left|remain|stay]?",
    "[If|When|Suppose] {b} [is|are] [cut|lost|gone|crossed out|missing|subtracted] from {a}, [what|which number|how much] [is left|remains|is it|do I have]?", "[Shrink|Shorten|Lessen|Decrease|Diminish|Cut down] {a} by {b}[.|, please.|: what is it?]", "[Take|Move] {b} [steps|] [down|back] from {a}. [Where am I|Which number is it|What is left]?",
]


def question(rng: random.Random, problem: Problem) -> str:
    """A question for training. One in four has its numbers in words."""
    if rng.random() < SHARE_FORMULAS:
        pattern = draw(pick(FORMULAS, rng), rng).replace("{e}", pick(["{a} + {b}", "{a} + {b}", "{a} plus {b}"] if problem.plus else ["{a} - {b}", "{a} - {b}", "{a} minus {b}"], rng))
    else:
        pattern = draw(pick(PLUS + 3 * WIDE_PLUS if problem.plus else MINUS + 3 * WIDE_MINUS, rng), rng)
    if rng.random() < loosen.SHARE:
        pattern = loosen.loosen(pattern, rng)
    return ask(rng, pattern, problem, rng.random() < 0.25)


def ask(rng: random.Random, pattern: str, problem: Problem, in_words: bool) -> str:
    a, b = (NUMBER_WORDS[problem.a], NUMBER_WORDS[problem.b]) if in_words else (str(problem.a), str(problem.b))
    p, q = rng.sample(PEOPLE, 2)
    return capital(expand(pattern, rng, {"a": a, "b": b, "p": p, "q": q, "t": pick(THINGS, rng)}))


def answer(problem: Problem) -> str:
    """E.g. "9 - 2. Count back 2 from 9: 8 (1), 7 (2). 9 - 2 = 7."

    Each step depends only on the step before it. The counting stops when the number in brackets
    equals the second operand, which is in the same line. So the network needs no other memory.
    """
    a, b = problem.a, problem.b
    start, steps = (max(a, b), min(a, b)) if problem.plus else (a, b)
    direction = 1 if problem.plus else -1
    task = f"{a} {'+' if problem.plus else '-'} {b}"
    counted = ", ".join(f"{start + direction * i} ({i})" for i in range(1, steps + 1))
    head = f"Count {'on' if problem.plus else 'back'} {steps} from {start}"
    return f"{task}. {head}: {counted or start}. {task} = {problem.result}."
