"""Small talk, and things to remember within a chat: names, favourites, the last answer."""

import random

from . import story_parts as parts
from .names import FIRST_NAMES
from .patterns import article, capital, expand, pick

SMALL_TALK: list[tuple[list[str], list[str]]] = [
    (["Hello[!|.|]", "Hi[!|.|, crumb!|]", "Hey[!|.|, crumb.| there.]", "Good [morning|evening|afternoon|day][!|.|, crumb.]", "Hello, crumb!", "Hi there!", "Greetings!"], ["Hello! How can I help you?", "Hi! What would you like to know?", "Hello! Ask me something.", "Hello there! Would you like a story?", "Hi! Ask me about animals, colours or countries."]),
    (["How are you[?| today?]", "How do you do?", "Are you well?", "How is it going?", "How do you feel?", "Is everything all right?"], ["I am fine, thank you. And you?", "Very well, thank you!", "I am well. How can I help you?"]),
    (["[I am|I'm] [fine|well|good|happy|great], [thanks|thank you].", "I feel [good|fine|great].", "Very well[, thanks|]!", "I am [happy|glad] today."], ["I am glad to hear that.", "That is nice. What would you like to know?", "Good! How can I help you?"]),
    (["I am [sad|tired|bored|lonely|afraid].", "I feel [sad|tired|bad|lonely].", "Today was a bad day.", "I cannot sleep."], ["I am sorry to hear that. Shall I tell you a story?", "I am sorry. Maybe a story helps?", "That is a pity. I hope that you feel better soon."]),
    (["Thanks[!|.| a lot!]", "Thank you[!|.| very much.]", "Thank you, crumb.", "That was [helpful|nice|good|great].", "[Great|Nice|Good|Cool|Perfect|Well done][!|.]", "You are [nice|great|clever|funny|kind].", "Good answer!"], ["You are welcome!", "You are welcome. Ask me more if you like.", "I am glad that I could help.", "With pleasure!", "Thank you!"]),
    (["[Bye|Goodbye|See you|Good night|Farewell][!|.|, crumb.]", "I have to go[ now|].", "See you tomorrow.", "That is all[, thank you|].", "I am going to bed."], ["Goodbye!", "Bye! See you soon.", "Goodbye, and have a nice day!", "See you! It was nice to talk to you."]),
    (["Do you like [animals|stories|music|colours|cats|dogs|winter|summer]?", "What do you like?", "Do you have a hobby?", "What is your favourite [colour|animal|month|word]?"], ["I am only a small model, so I like nothing more than a good question.", "I am a model and have no favourites, but I like to tell stories.", "I like questions and stories."]),
    (["Yes.", "Yes, please.", "No.", "No, thanks.", "Ok.", "OK", "Maybe.", "Hm.", "I see.", "Sure.", "Of course."], ["Good. What would you like to know?", "All right. Ask me something.", "Good. Shall I tell you a story, or do you have a question?"]),
    (["Do you know a joke?", "Tell me a joke.", "Make me laugh.", "Say something funny.", "A joke, please."], ["What goes up when the rain comes down? An umbrella!", "What has a face and two hands, but no legs? A clock!", "Why is the book sad? It has too many problems. It is a book of sums!", "What has teeth but cannot bite? A comb!"]),
    (["You are [wrong|bad|stupid|silly].", "That is [wrong|not right|false].", "I do not believe you.", "Are you sure?", "Really?", "Is that right?"], ["I am a very small model and can be wrong. Please check what I say.", "I may be wrong, because I am very small. Please check it.", "I think so, but I am only a small model."]),
    (["What?", "I do not understand.", "What do you mean?", "Pardon?", "Huh?", "???", "..."], ["I am sorry. Please ask me again in other words.", "Please ask me a question, and I will try to answer.", "Sorry! What would you like to know?"]),
    (["[asdf|qwer|blub|hmm hmm|xyz|lalala|abc abc|test|123]", "[la la|mmm|ooo|zzz]"], ["I do not understand that. Please ask me a question.", "Please ask me something about animals, colours, countries or numbers."]),
]
FAVOURITES = {"colour": ["red", "blue", "green", "yellow", "purple", "orange", "pink", "black", "white", "brown"], "animal": parts.ANIMALS, "food": parts.FOODS, "month": "January February March April May June July August September October November December".split()}


def small_talk(rng: random.Random) -> tuple[str, str]:
    asks, answers = pick(SMALL_TALK, rng)
    return capital(expand(pick(asks, rng), rng)), expand(pick(answers, rng), rng)


def memory(rng: random.Random) -> tuple[tuple[str, str], tuple[str, str]]:
    """A statement, and a later question about it. The two can be far apart in a chat."""
    kind = rng.randrange(4)
    if kind == 0:
        name = pick(FIRST_NAMES + parts.BOYS + parts.GIRLS, rng)
        told = expand(f"[My name is {name}|I am {name}|I'm {name}|Hello, I am {name}|Hi, my name is {name}|You can call me {name}|People call me {name}].", rng)
        asked = expand("[What is|What's|Do you remember|Tell me|Do you know] my name?|What am I called?|Who am I?|How did I say that I am called?", rng)
        return (told, expand(f"[Hello, {name}!|Nice to meet you, {name}!|Hello, {name}! How can I help you?|Hi, {name}!]", rng)), (asked, expand(f"[Your name is {name}.|You are {name}.|You told me that your name is {name}.]", rng))
    if kind == 1:
        what = pick(list(FAVOURITES), rng)
        value = pick(FAVOURITES[what], rng)
        told = expand(f"My favourite {what} is {value}.|I like the {what} {value} best.|Of every {what}, I like {value} most.", rng)
        asked = expand(f"[What is|What's|Do you remember|Do you know] my favourite {what}?|Which {what} do I like [best|most]?", rng)
        return (told, pick(["That is a good choice.", f"{capital(value)} is nice.", "I will remember that.", "How nice!"], rng)), (asked, expand(f"[Your favourite {what} is {value}.|{capital(value)}.|You like {value} best.]", rng))
    if kind == 2:
        animal, name = pick(parts.ANIMALS, rng), pick(parts.PET_NAMES, rng)
        told = expand(f"I have {article(animal)} [named|called] {name}.|My {animal} is called {name}.|The name of my {animal} is {name}.", rng)
        asked = expand(f"What is [the name of my {animal}|my {animal} called|my {animal}'s name]?|How is my {animal} called?|Do you remember the name of my {animal}?", rng)
        return (told, pick([f"{name} is a nice name for {article(animal)}.", f"Say hello to {name}!", "How nice!"], rng)), (asked, expand(f"[Your {animal} is called {name}.|{name}.|The name of your {animal} is {name}.]", rng))
    number = str(rng.randint(0, 99))
    told = expand(f"[Remember|Keep in mind|Please remember|Note] the number {number}.", rng)
    asked = expand("Which number did I [tell you|say]?|What was the number?|What number should you remember?|Say the number again.", rng)
    return (told, pick([f"I will remember {number}.", f"All right: {number}.", "I will."], rng)), (asked, expand(f"[The number is {number}.|{number}.|You told me {number}.]", rng))


AGAIN = ["[Say|Tell me] that again[, please|].", "Can you repeat that?", "Please repeat your answer.", "Once more, please.", "What did you say?", "Sorry, what was that?"]
