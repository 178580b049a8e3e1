"""Varies a phrasing: drops, replaces or inserts small words.

The network must find a fact by its key and its key words, not by the exact phrasing. Then it also
answers phrasings that it has never seen. Only words without meaning for the answer are changed.
"""

import random

from .patterns import pick

SHARE = 0.35
"""The share of the questions that are varied."""

NEUTRAL = set("what which is the tell me please can could you know do does name say give i want would like to how we call called a an find in it that of will are give let us my for there have has with who".split())
EXCHANGED = ["what", "which", "the", "a", "this", "that", "your", "our", "some", "one", "such", "please", "tell", "say", "might", "would", "shall", "may", "must", "just", "speak", "show", "write", "mention", "state", "guess", "pick", "choose", "remind", "recall", "think", "believe", "suppose", "imagine", "consider", "whatever", "exactly", "somebody", "people", "everybody", "someone", "they", "she", "he", "us", "as", "at", "by", "on", "about", "so", "then", "there", "here", "now", "still", "also", "even", "quite", "very", "rather"]
INSERTED = EXCHANGED + ["actually", "really", "again", "by the way", "usually", "in fact", "in general", "normally", "for me", "if you can", "as a rule", "perhaps", "kindly", "today", "my dear", "if I may ask", "in your opinion", "as far as you know", "once more", "for once", "in short", "in one go", "right away", "out loud", "to be exact", "of course", "most of the time", "all in all", "let us say", "for example", "for instance", "in the end", "at least", "at last", "more or less", "would you say", "do you think", "I guess", "you see", "according to the book", "on the whole", "without doubt", "dear crumb"]
STRANGE = """quickly slowly happily sadly bravely quietly loudly gladly nearly hardly suddenly finally certainly obviously maybe indeed meanwhile otherwise therefore somehow somewhere elsewhere together apart aside beyond across along toward
 dusty famous gentle clever modern ancient curious silent simple plain gloomy lucky noble proud rusty shaky tidy vivid weary wise useful ordinary special typical careful eager usual common rare exact perfect serious harmless
 borrow carry gather manage notice observe offer prefer promise protect receive refuse rely remain repeat reveal select settle share signal solve suggest support suppose surround tempt trace treat trust vanish visit wander whisper wonder
 accident advice barrel blanket bottom bundle candle carpet chance chapter corner couple crowd custom detail edge effort engine errand event fellow figure fortune frame habit handle harvest journey knot lane lesson
 manner matter mind moment motion office parade path pattern pause piece pile pocket porch puzzle quarter reason ribbon riddle scene secret shadow sign sketch slice spark stage step stream string style supply surface
 task team thread ticket touch trace trail trick trip turn veil voyage warning witness yard""".split()
"""Words that matter for no answer. New phrasings contain such words, and crumb must learn to ignore them."""


def loosen(pattern: str, rng: random.Random, slotted: bool = True) -> str:
    """Changes a few small words of a phrasing, whose slots are still in braces."""
    parts = []
    for word in pattern.split(" "):
        dice = rng.random()
        if "{" not in word and word.strip(".,?!:;").lower() in NEUTRAL and dice < 0.3:
            tail = word[len(word.rstrip(".,?!:;")) :]
            if dice < 0.15:
                parts.append(pick(EXCHANGED if dice < 0.1 else STRANGE, rng) + tail)
            elif tail and parts:
                parts[-1] += tail
        else:
            parts.append(word)
        if rng.random() < 0.06:
            parts.append(pick(INSERTED if rng.random() < 0.5 else STRANGE, rng))
    return " ".join(parts) if not slotted or any("{" in part for part in parts) else pattern
