"""Whole chats: one or several exchanges, sometimes a system message, and typing as real users do it."""

import random
import re

from . import arithmetic, facts_animals, facts_places, facts_potluck, facts_things, facts_time, facts_words, loosen, numbers, refusals, stories, talk
from .patterns import capital, draw, expand, pick, tidy
from .relations import Relation

Chat = list[dict[str, str]]
RELATIONS: list[Relation] = facts_places.RELATIONS + facts_animals.RELATIONS + facts_words.RELATIONS + facts_things.RELATIONS + facts_time.RELATIONS
TOPICS = facts_potluck.TOPICS

SYSTEM = [
    "You are [crumb|a helpful assistant|a friendly assistant|a small assistant|a helpful, honest and friendly assistant|a polite helper][.|, a very small model.|, made by the Potluck project.]", "[Answer|Please answer|Reply] [the user's questions|every question|politely|kindly|truthfully|in English|as well as you can].",
    "If you do not know [something|the answer], say so.", "Be [kind|polite|friendly|helpful|honest].", "You [talk|chat] with [a child|a visitor|a friend|a user|people of all ages].", "[Always be|Stay] [helpful, respectful and honest|polite|friendly|calm and helpful].",
    "[Never|Do not] [invent facts|make things up|share false information|say things that are not true].", "Help the user [with everyday questions|as much as possible|to learn].", "If a question [makes no sense|is not clear|is strange], [say so|explain why|ask again][ instead of giving a wrong answer|].",
    "Today the user wants to [learn|hear stories|do sums|talk]." , "You love [animals|stories|questions|numbers].", "Your answers should be [correct|clear|useful and safe|easy to read].",
]
BRIEF = ["Answer [briefly|in one word|with one word|shortly|in a few words].", "Be brief.", "Keep your answers [short|very short|brief].", "One-word answers[, please|].", "Use as few words as possible.", "Give short answers."]
BEFORE = ["[Please tell me|Tell me|Please|Say|Hello|Hi|Hey|Hey crumb|Hello crumb|Crumb|Ok|So|Well|Now|And|Hm|Good morning|Excuse me|Sorry|Quick question|One question|A question|Question|Next question|Another question|Here is a question|I have a question|I wonder|My turn|Something else|Just wondering|For a quiz|For school|For my homework|Let me think|Let me ask you]{c} "]
ASIDES = [
    "I [was|am] [at the market|at home|in the garden|on the train|at school|in the kitchen|on my way] [today|now|this morning|with my brother|with a friend].", "My [teacher|mother|father|sister|brother|friend|uncle|aunt|neighbour|son|daughter] [asked me|wants to know|would like to know this|did not know this|told me to ask you].",
    "I [need|want] this for [school|a quiz|a game|my homework|a crossword|my book|a bet|a letter].", "We [play|are playing] a game[ with words| with questions|].", "I am [reading|writing|painting|cooking|learning|travelling|working][ at the moment| today| a lot|].", "It is [raining|late|cold|sunny|Sunday], and I have [time|a question|nothing to do].",
    "I [always forget|never remember|cannot remember|forgot|should know] this.", "This is [easy|hard|not easy|important|a test|just for fun].", "I have [a dog|two cats|a big house|three brothers|a new bike|a garden|no idea|a headache|an old car].", "You [surely|probably|may] know this.", "Nobody [here|at home|in my class] knows it.", "Let us [see|play|start|go on|talk about something else].",
    "I [bet|hope|think] you know this.", "[She|He] is [five|seven|ten] years old.", "The [book|teacher|newspaper|radio|picture|map] [does not say|says nothing about it|made me think of this].",
]
AFTERWARDS = ["Thanks!", "Thank you.", "Please.", "Please help.", "I forgot.", "I'd like to know.", "I am curious.", "Do you know?", "Tell me, please.", "Just asking.", "Help me.", "It is for school.", "Can you help me?", "What do you say?", "I have to know it.", "Thanks in advance.", "Any idea?"]


def _typo(text: str, rng: random.Random) -> str:
    """Makes one typing error in one long word."""
    spots = [m for m in re.finditer(r"[a-z]{5,}", text)]
    if not spots:
        return text
    m = pick(spots, rng)
    i = rng.randrange(m.start() + 1, m.end() - 1)
    return pick([text[:i] + text[i + 1 :], text[:i] + text[i + 1] + text[i] + text[i + 2 :], text[:i] + text[i] + text[i:]], rng)


def _sentence(rng: random.Random) -> str:
    """A sentence that is unrelated to the question."""
    return pick(re.findall(r"[A-Z][^.?!\"]+[.]", stories.story(rng)), rng)


def as_typed(text: str, rng: random.Random) -> str:
    """The question as a user may type it: with an opening phrase, an aside, in lower case, or without its full stop."""
    if rng.random() < 0.16:
        rest = text if re.match(r"[A-Z]\w*[A-Z]|I\b|[A-Z][a-z]+'s", text) or rng.random() < 0.5 else text[0].lower() + text[1:]
        text = expand(pick(BEFORE, rng), rng, {"c": pick([":", ",", ",", "!", "."], rng)}) + " " + rest
    if rng.random() < 0.12:
        aside = _sentence(rng) if rng.random() < 0.3 else expand(pick(ASIDES, rng), rng)
        text = f"{aside} {text}"
    if rng.random() < 0.1:
        text = text + " " + pick(AFTERWARDS + [expand(pick(ASIDES, rng), rng)], rng)
    dice = rng.random()
    if dice < 0.12:
        text = text.lower()
    elif dice < 0.13:
        text = text.upper()
    if rng.random() < 0.12:
        text = text.rstrip("?.! ")
    if rng.random() < 0.03:
        text = _typo(text, rng)
    return text or "?"


def fact(rng: random.Random, brief: bool = False, relation: Relation | None = None, follow: bool = False) -> tuple[str, str, Relation]:
    relation = relation or rng.choices(RELATIONS, _weights())[0]
    key, answer = pick(relation.pairs, rng)
    slots = relation.slots(key, answer)
    question = expand(pick(relation.follow, rng), rng, slots) if follow else relation.question(rng, slots)
    return capital(question), relation.answer(rng, slots, brief), relation


_WEIGHTS: list[float] = []


def _weights() -> list[float]:
    if not _WEIGHTS:
        _WEIGHTS.extend(r.weight * min(len(r.pairs), 60) ** 0.5 for r in RELATIONS)
    return _WEIGHTS


SHARES = {"fact": 46, "sum": 15, "number": 11, "refusal": 16, "potluck": 11, "talk": 4, "story": 5}


def exchange(rng: random.Random, brief: bool, shares: dict[str, float] = SHARES) -> list[tuple[str, str]]:
    """One exchange, or a short series of related exchanges."""
    kind = rng.choices(list(shares), list(shares.values()))[0]
    if kind == "fact":
        question, answer, relation = fact(rng, brief)
        turns = [(question, answer)]
        while rng.random() < 0.12:
            turns.append(fact(rng, brief, relation, follow=True)[:2])
        return turns
    if kind == "sum":
        problem = pick(arithmetic.TRAINING, rng)
        return [(arithmetic.question(rng, problem), arithmetic.answer(problem))]
    if kind == "number":
        return [numbers.exchange(rng)]
    if kind == "refusal":
        topic, question = refusals.question(rng)
        if rng.random() < loosen.SHARE:
            question = capital(tidy(loosen.loosen(question, rng, slotted=False)))
        return [(question, refusals.answer(rng, topic))]
    if kind == "potluck":
        topic = pick(TOPICS, rng)
        pattern = draw(pick(topic.question_patterns() if rng.random() < 0.45 else topic.wide_patterns(), rng), rng)
        if rng.random() < loosen.SHARE:
            pattern = loosen.loosen(pattern, rng, slotted=False)
        return [(tidy(pattern), pick(topic.answers, rng))]
    if kind == "talk":
        return [talk.small_talk(rng)]
    turns = [stories.request(rng)]
    while rng.random() < 0.1:
        turns.append((expand(pick(stories.MORE, rng), rng), stories.story(rng)))
    return turns


def system_message(rng: random.Random, brief: bool) -> str | None:
    if brief:
        parts = rng.sample(SYSTEM, rng.choice([0, 0, 1])) + [pick(BRIEF, rng)]
    elif rng.random() < 0.25:
        parts = rng.sample(SYSTEM, rng.choice([1, 1, 2, 3, 4, 5]))
    else:
        return None
    text = " ".join(expand(part, rng) for part in parts)
    return text if rng.random() < 0.8 else text.replace(". ", ".\n", 1)


def chat(rng: random.Random) -> Chat:
    """One chat. Most are short; one in twenty is long enough to fill the context."""
    brief = rng.random() < 0.06
    dice = rng.random()
    target = 1 if dice < 0.74 else rng.randint(2, 4) if dice < 0.93 else rng.randint(5, 10) if dice < 0.985 else rng.randint(14, 24)
    turns: list[tuple[str, str]] = []
    later: list[tuple[str, str]] = []
    while len(turns) < target:
        if target > 1 and rng.random() < 0.08:
            told, asked = talk.memory(rng)
            # Two statements of the same kind would contradict each other.
            if not any(asked[0].split()[-1] == other[0].split()[-1] for other in later):
                turns.append(told)
                later.append(asked)
        elif turns and rng.random() < 0.03:
            turns.append((expand(pick(talk.AGAIN, rng), rng), turns[-1][1]))
        else:
            turns += exchange(rng, brief)
        if later and rng.random() < 0.3:
            turns.append(later.pop())
    if later:
        turns.append(later.pop())
    system = system_message(rng, brief)
    messages: Chat = [{"role": "system", "content": system}] if system else []
    for question, answer in turns:
        messages += [{"role": "user", "content": as_typed(question, rng)}, {"role": "assistant", "content": answer}]
    return messages
