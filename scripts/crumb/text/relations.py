"""A relation: a table of facts, phrasings that ask for a fact, and phrasings that answer.

Each relation has two separate lists of questions. `asks`, and the noun phrases `nps` in the general
frames below, occur in the training text. `held` occurs only in the evaluation.
"""

import random
from dataclasses import dataclass, field

from . import loosen
from .patterns import article, capital, draw, expand, pick, plural, readings, tidy
from .situations import SITUATIONS
from .wide import WIDE

FRAMES = [
    "[What is|What's|whats] {np}?", "[Tell me|Please tell me|Say|Name|Give me|Write] {np}.",
    "[Can|Could|Would|Will] you [please |][tell me|name|give me|say] {np}?",
    "Do you [know|remember] {np}?", "I [want|would like|'d like|need|wish] to know {np}.", "{Np}?", "{Np}, please.",
    "I [forgot|have forgotten|do not know] {np}. [Can you help?|Please help me.|Do you know?|Help!]",
    "[Tell me|Do you know|I wonder|Can you tell me|I want to know|Say|I ask myself|Please explain] what {np} is.",
    "{Np} is what?", "What do [you call|people call|we call] {np}?", "[Let me know|Show me|Teach me|Find] {np}.",
    "[Question|Quiz|Riddle|My question|Here is a question]: what is {np}?", "I am [looking for|thinking of|asking for] {np}.",
    "[Complete|Finish|Finish the sentence|Fill in|Continue]: {np} is", "What [would you say is|do you think is|might be] {np}?",
    "Which [one |word |answer |]is {np}?", "My [friend|teacher|sister|brother|mum|son] [asked me|wants to know] {np}.",
    "[I need|I want|Give] {np}[, please|]. [What is it?|]", "You know {np}, [right|don't you]? [What is it?|Tell me.]",
    "[Hmm|So|Well|Now], {np}?", "{Np} = ?", "[I think I know|I never learned] {np}, but [tell me|say it] [anyway|please].",
    "[Somebody|A man|A girl|My boss|The teacher|A visitor] [asks|asked me] for {np}.", "[Have you got|Is there|Do you have] any clue about {np}?", "Help me out with {np}.", "I'd be [happy|glad] to hear {np}[ from you|].", "Remind me of {np}.", "May I ask you for {np}?",
    "[It slipped my mind|My head is empty|It is on the tip of my tongue]: {np}?", "Kindly state {np}.", "Be a dear and say {np}.", "If I asked you for {np}, what would you [say|reply]?", "[Which|What] answer [would you give|is right] for {np}?", "I am sure you know {np}; [tell me|what is it].",
    "I have to write down {np}. What do I write?", "In the [exam|quiz|test] they ask for {np}.", "Your task: {np}.", "I bet you cannot name {np}.", "[How|What] about {np}?", "[Let's|Let us] talk about {np}. What is it?", "To finish my crossword I need {np}.", "Can anybody tell me {np}?",
    "Does crumb know {np}?", "They want to hear {np}.", "[Try to name|Guess|Try to guess] {np}.", "Let me hear {np}.", "Mention {np}, please.", "I am not sure about {np}[. What is right?|.]", "What should I reply when they ask for {np}?", "How would you call {np}?", "Which word stands for {np}?", "I search for {np}.", "It would be good to know {np}.",
    "We argue about {np}. Who is right? What is it?", "I cannot think of {np} right now.", "Do me a favour and tell me {np}.", "You are asked about {np}. What is your answer?", "There is a prize for whoever knows {np}.", "I made a note of {np}, but I lost it.", "Check {np} for me.", "Pardon me, {np}?", "A child wants to know {np}.",
]
NOUN_PHRASES = 0.3
"""The share of the questions that consist of a noun phrase in a general frame."""
WIDE_SHARE = 0.55
"""The share of wide phrasings among the other questions."""
HELD_FRAMES = [
    "Any idea what {np} might be called?", "I cannot recall {np}; would you remind me?",
    "Be so kind as to mention {np}.", "How would you answer if a child asked you for {np}?",
]


@dataclass(frozen=True)
class Relation:
    """Facts of one kind, as `pairs` of (key, answer). Every pattern may use the slots of `slots()`."""

    name: str
    category: str
    pairs: list[tuple[str, str]]
    asks: list[str]
    held: list[str]
    answers: list[str]
    nps: list[str] = field(default_factory=list)
    follow: list[str] = field(default_factory=lambda: ["And {k}?", "What about {k}?", "And for {k}?", "{k}?"])
    brief: str = "{A}."
    weight: float = 1.0
    wide: list[str] | None = None
    """Wide phrasings. None: those in `WIDE` under the relation's name."""
    rivals: list[str] | None = None
    """Answers that are wrong when they occur together with the right one. None: the other answers of the table."""

    def slots(self, key: str, answer: str) -> dict[str, str]:
        return {
            "k": key, "K": capital(key), "ak": article(key), "Ak": capital(article(key)), "pk": plural(key),
            "Pk": capital(plural(key)), "a": answer, "A": capital(answer), "aa": article(answer), "Aa": capital(article(answer)),
        }

    def question(self, rng: random.Random, slots: dict[str, str]) -> str:
        """A question for training."""
        if self.nps and rng.random() < NOUN_PHRASES:
            np = draw(pick(self.nps, rng), rng)
            pattern = draw(pick(FRAMES, rng), rng).replace("{np}", np).replace("{Np}", capital(np))
        else:
            wide = self.wide or WIDE.get(self.name)
            pattern = draw(pick(wide if wide and rng.random() < WIDE_SHARE else self.asks + SITUATIONS.get(self.name, []), rng), rng)
        if rng.random() < loosen.SHARE:
            pattern = loosen.loosen(pattern, rng)
        return capital(tidy(pattern.format_map(slots)))

    def held_questions(self, slots: dict[str, str]) -> list[str]:
        """Every held-out question for one fact."""
        found = [capital(text) for pattern in self.held for text in readings(pattern, slots)]
        if self.nps:
            nps = readings(self.nps[0], slots)[:1]
            found += [capital(frame.format(np=np, Np=capital(np))) for frame in HELD_FRAMES for np in nps]
        return found

    def answer(self, rng: random.Random, slots: dict[str, str], brief: bool = False) -> str:
        return expand(self.brief if brief else pick(self.answers, rng), rng, slots)


def table(text: str) -> list[tuple[str, str]]:
    """Parses "dog: puppy, cat: kitten" to pairs."""
    return [tuple(part.strip() for part in entry.split(":")) for entry in text.replace("\n", " ").split(",") if entry.strip()]


def flipped(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(b, a) for a, b in pairs]
