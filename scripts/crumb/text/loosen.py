"""Loosens a phrasing: small words are dropped, exchanged or put in, and an aside may be told around it.

The network has to find the fact by its key and its cue, not by the exact frame; this is what
carries over to phrasings it has never seen. Only words that carry no meaning here are touched.
"""

import random

from .patterns import pick

SHARE = 0.3
"""Of the questions; the others stay as they were written."""

NEUTRAL = set("what which is the tell me please can could you know do does name say give i want would like to how we call called a an find in it that of will are give let us my for there have has with who".split())
EXCHANGED = ["what", "which", "the", "a", "this", "that", "your", "our", "some", "one", "such", "please", "tell", "say", "might", "would", "shall", "may", "must", "just", "speak", "show", "write", "mention", "state", "guess", "pick", "choose", "remind", "recall", "think", "believe", "suppose", "imagine", "consider", "whatever", "exactly", "somebody", "people", "everybody", "someone", "they", "she", "he", "us", "as", "at", "by", "on", "about", "so", "then", "there", "here", "now", "still", "also", "even", "quite", "very", "rather"]
INSERTED = EXCHANGED + ["actually", "really", "again", "by the way", "usually", "in fact", "in general", "normally", "for me", "if you can", "as a rule", "perhaps", "kindly", "today", "my dear", "if I may ask", "in your opinion", "as far as you know", "once more", "for once", "in short", "in one go", "right away", "out loud", "to be exact", "of course", "most of the time", "all in all", "let us say", "for example", "for instance", "in the end", "at least", "at last", "more or less", "would you say", "do you think", "I guess", "you see", "according to the book", "on the whole", "without doubt", "dear crumb"]


def loosen(pattern: str, rng: random.Random, slotted: bool = True) -> str:
    """One drawn phrasing, slots still in braces, with a few small words changed."""
    parts = []
    for word in pattern.split(" "):
        dice = rng.random()
        if "{" not in word and word.strip(".,?!:;").lower() in NEUTRAL and dice < 0.3:
            tail = word[len(word.rstrip(".,?!:;")) :]
            if dice < 0.15:
                parts.append(pick(EXCHANGED, rng) + tail)
            elif tail and parts:
                parts[-1] += tail
        else:
            parts.append(word)
        if rng.random() < 0.06:
            parts.append(pick(INSERTED, rng))
    return " ".join(parts) if not slotted or any("{" in part for part in parts) else pattern
