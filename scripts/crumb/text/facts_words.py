"""Facts about words: opposites, plurals, past forms, first letters, rhymes, categories."""

from .relations import Relation, flipped, table

_OPPOSITES = table("""
hot: cold, big: small, fast: slow, day: night, up: down, happy: sad, old: young, light: dark, open: closed, full: empty, wet: dry, high: low,
long: short, hard: soft, good: bad, loud: quiet, rich: poor, strong: weak, clean: dirty, left: right, black: white, early: late, near: far,
inside: outside, first: last, thick: thin, wide: narrow, deep: shallow, sweet: sour, brave: afraid, true: false, win: lose, push: pull,
give: take, begin: end, buy: sell, love: hate, always: never, more: less, awake: asleep, safe: dangerous, easy: difficult, sharp: blunt,
rough: smooth, summer: winter, north: south, east: west, before: after, come: go, laugh: cry, remember: forget, friend: enemy, above: below, front: back,
alive: dead, question: answer, tight: loose, rise: fall""")
OPPOSITES = _OPPOSITES + flipped(_OPPOSITES)
PLURALS = table("""
mouse: mice, goose: geese, child: children, foot: feet, tooth: teeth, man: men, woman: women, leaf: leaves, knife: knives, wolf: wolves, sheep: sheep,
cat: cats, dog: dogs, house: houses, box: boxes, bus: buses, baby: babies, city: cities, cherry: cherries, berry: berries, book: books, tree: trees, shelf: shelves,
loaf: loaves, dish: dishes, story: stories, key: keys, ox: oxen, apple: apples, glass: glasses, boy: boys, potato: potatoes, star: stars""")
PASTS = table("""
go: went, run: ran, see: saw, eat: ate, drink: drank, sing: sang, swim: swam, write: wrote, give: gave, take: took, come: came, find: found, fly: flew, grow: grew,
know: knew, make: made, say: said, sit: sat, sleep: slept, speak: spoke, stand: stood, think: thought, buy: bought, bring: brought, break: broke, fall: fell, forget: forgot,
hear: heard, keep: kept, lose: lost, build: built, catch: caught, draw: drew, win: won, tell: told, walk: walked, jump: jumped, play: played, look: looked, help: helped""")
FIRST_LETTERS = [(word, word[0].upper()) for word in """apple banana cherry dog elephant fish garden house island juice king lemon moon nest orange pencil queen river
 sun tree umbrella violin window yellow zebra bread cat door egg flower goat hat ice jacket key lamp mouse night owl pear rabbit snow table water""".split()]
RHYMES = table("""
cat: hat, dog: frog, house: mouse, tree: bee, sun: fun, star: car, moon: spoon, night: light, cake: lake, ball: wall, bed: red, boat: goat, king: ring, bell: shell,
fish: dish, snow: crow, rain: train, book: cook, bear: pear, nose: rose, tall: small, clock: sock, hen: pen, day: play, fox: box, sand: hand, blue: shoe, sheep: sleep""")
CATEGORIES = [(thing, kind) for kind, things in {
    "fruit": "apple banana cherry pear plum orange lemon grape strawberry peach",
    "vegetable": "carrot potato onion cabbage pea spinach cucumber leek",
    "tool": "hammer saw screwdriver axe shovel rake drill",
    "instrument": "piano violin guitar drum flute trumpet harp",
    "vehicle": "car bus train bicycle lorry tractor boat plane",
    "colour": "red blue green yellow purple brown pink grey",
    "flower": "rose tulip daisy sunflower lily daffodil",
    "drink": "milk water juice tea lemonade coffee",
    "clothing": "shirt coat sock hat scarf glove jumper dress",
    "furniture": "chair table bed sofa wardrobe desk shelf",
    "animal": "dog cat cow horse sheep lion wolf mouse bear rabbit fox",
    "season": "spring summer autumn winter", "month": "January March April July August October December", "day": "Monday Tuesday Friday Sunday Saturday",
    "shape": "circle square triangle rectangle oval", "tree": "oak birch fir beech willow", "metal": "iron gold silver copper tin",
}.items() for thing in things.split()]
MASS = set("milk water juice tea lemonade coffee spinach iron gold silver copper tin spring summer autumn winter clothing furniture".split()) | {
    thing for thing, kind in CATEGORIES if kind in ("colour", "month", "day")}


class _Categories(Relation):
    """A relation with no article before words such as "milk" or "Monday"."""

    def slots(self, key: str, answer: str) -> dict[str, str]:
        slots = super().slots(key, answer)
        if key in MASS:
            slots |= {"ak": key, "Ak": slots["K"]}
        if answer in MASS:
            slots |= {"aa": f"a piece of {answer}"}
        return slots


RELATIONS = [
    Relation(
        "opposite", "words", OPPOSITES,
        asks=[
            "[What|Which word] is the opposite of {k}?", "What's the opposite of [the word |]{k}?", "{K} is the opposite of what?", "The opposite of {k} is [what|which word]?", "If something is not {k}, what is it?",
            "[What|Which word] [means the opposite of|is opposite to] {k}?", "opposite of {k}", "opposite: {k}", "Not {k} but ...?", "Find [a word that means |]the opposite of {k}.", "{K} has which opposite?", "Which word is as different from {k} as can be?",
            "What is the contrary of {k}?", "I say {k}. [You say|Say the opposite].", "The other side of {k} is what?", "Turn {k} around: what is the opposite?",
        ],
        nps=["the opposite of {k}", "the opposite of the word {k}", "the word that is the opposite of {k}", "the contrary of {k}"],
        held=["Which word would you set against {k}?", "Suppose it were exactly the other way round from {k}; which word then?", "Give the antonym for {k}.", "{K} and its opposite: {k} and what?"],
        answers=["The opposite of {k} is {a}.", "{A}.", "It is {a}.", "{A} is the opposite of {k}.", "That is {a}."],
        follow=["And of {k}?", "What about {k}?", "And {k}?", "{K}?", "And the opposite of {k}?"], weight=1.6,
    ),
    Relation(
        "plural", "words", PLURALS,
        asks=["What is the plural of {k}?", "One {k}, two what?", "How do you [say|write|call] more than one {k}?", "What do you call two or more of {ak}?", "{K}: plural?", "plural of {k}", "I have one {k}, you have many ...?", "What is the word for many of {ak}?", "How do I write the plural of {k}?", "There is one {k}. Now there are two. Two what?"],
        nps=["the plural of {k}", "the plural of the word {k}", "the word for more than one {k}"],
        held=["One {k} here, and over there a dozen what?", "Change {k} so that it means several.", "Which form of {k} do we use for five of them?"],
        answers=["The plural of {k} is {a}.", "{A}.", "One {k}, two {a}.", "It is {a}."], follow=["And of {k}?", "And {k}?", "What about {k}?"],
    ),
    Relation(
        "past", "words", PASTS,
        asks=["What is the past [tense |form |]of {k}?", "Today I {k}. Yesterday I ...?", "How do you [say|write] {k} in the past?", "Today they {k}, yesterday they what?", "past tense of {k}", "Put {k} into the past.", "What is {k} in the past tense?", "I {k} now. What did I do yesterday?", "The past of {k}?", "What does {k} become in the past?"],
        nps=["the past tense of {k}", "the past form of {k}", "the past of the verb {k}"],
        held=["Now we {k}; last week we what?", "If {k} happened long ago, which word do I write?", "Tell the verb {k} as if it were over."],
        answers=["The past tense of {k} is {a}.", "{A}.", "It is {a}.", "Today I {k}, yesterday I {a}."], follow=["And of {k}?", "And {k}?", "What about {k}?"],
    ),
    Relation(
        "letter", "words", FIRST_LETTERS,
        asks=["[What|Which] letter does {k} [start|begin] with?", "What is the first letter of {k}?", "With which letter does [the word |]{k} [start|begin]?", "{K} [starts|begins] with which letter?", "The word {k} starts with what letter?", "Which letter comes first in {k}?", "Look at the word {k}. What is its first letter?"],
        nps=["the first letter of {k}", "the first letter of the word {k}", "the letter that {k} starts with"],
        held=["To write {k}, which letter do I put down first?", "In the dictionary, under which letter do I find {k}?", "What letter stands at the front of {k}?"],
        answers=["{K} starts with {a}.", "{a}.", "The first letter of {k} is {a}.", "It begins with {a}."], brief="{a}.", rivals=[], follow=["And {k}?", "What about {k}?"],
    ),
    Relation(
        "rhyme", "words", RHYMES,
        asks=["What rhymes with {k}?", "[Tell me|Find|Name|Give me] a word that rhymes with {k}.", "Which word rhymes with {k}?", "Do you know a rhyme for {k}?", "I need a rhyme for {k}.", "Rhyme with {k}!", "Can you rhyme {k}?", "{K} rhymes with what?", "What is a word that sounds like {k} at the end?"],
        nps=["a rhyme for {k}", "a word that rhymes with {k}", "a rhyme on {k}"],
        held=["My poem has a line that ends in {k}; how could the next line end?", "Which word shares its ending sound with {k}?", "Make {k} rhyme."],
        answers=["{A} rhymes with {k}.", "{A}.", "{K} rhymes with {a}.", "{K} and {a} rhyme."], follow=["And with {k}?", "And {k}?", "What about {k}?"],
    ),
    _Categories(
        "category", "words", CATEGORIES,
        asks=["What kind of thing is {ak}?", "What sort of thing is {ak}?", "What is {ak}?", "What are {ak} and things like it?", "Is {ak} a fruit, a tool, an animal or something else?", "[What|Which] group does {ak} belong to?", "{Ak} is a kind of what?", "{Ak} is an example of what?", "What do we call things like {ak}?", "Explain what {ak} is.", "What type of thing is {ak}?", "Tell me what {ak} is.", "Can you sort {ak} into a group?"],
        nps=["the kind of thing that {ak} is", "the group that {ak} belongs to", "the sort of thing {ak} is"],
        held=["Under which heading would you file {ak}?", "If someone has never heard of {ak}, how would you classify it?", "Which family of things includes {ak}?"],
        answers=["{Ak} is {aa}.", "It is {aa}.", "{Aa}.", "{Ak} is a kind of {a}."], brief="{Aa}.", follow=["And {ak}?", "What about {ak}?", "And what is {ak}?"], weight=1.4,
    ),
]
