"""Questions outside crumb's world, and the polite answer that it does not know.

Four kinds: whole topics it never learned, unknown entities in relations it knows ("the capital
of Blorpia"), unknown relations of entities it knows ("who is the king of Spain?"), and sums
beyond twenty.
"""

import random

from . import names
from .facts_animals import HOMES, LEGS
from .facts_places import CAPITALS
from .patterns import article, capital, expand, pick, plural

SORRY = "[Sorry, |I am sorry, |I am sorry, but |I'm sorry, but |I'm afraid |||||Oh, |Hmm, ]"
UNKNOWN = "[I do not know that|I don't know that|I do not know the answer|I don't know the answer|I do not know|I don't know|I do not know anything about that|I know nothing about that|I have never learned that|I never learned about that|I cannot answer that|I can't answer that|that is something I do not know|I do not know enough about that]."
AFTER = ["[I am only a small model.|I am just a very small model.|My world is small.|That is outside my little world.|That is too far from my small world.]", "[Maybe|Perhaps] someone else can [tell you|help you].", "[It is better to look it up.|Please look it up.|A library may help.|Please ask somebody who knows.]",
         "[Ask me about animals, colours or months instead.|You can ask me about animals or countries.|I can tell you a story instead.|Shall I tell you a story instead?|I can count or add small numbers for you.]", "", "", ""]
TOO_HARD = ["[Sorry, |I am sorry, |]I [can only|only] add and subtract numbers up to twenty.", "[Sorry, |]I do not know. That sum is too hard for me.", "I do not know that. I only do small sums, up to twenty.", "[Sorry, |]I cannot do that sum. It is too hard for me."]

TOPICS = {
    "people": ["Who [is|was] {person}?", "When was {person} born?", "Where [does|did] {person} live?", "What [did|does] {person} do?", "How old is {person}?", "Tell me about {person}.", "Why is {person} famous?", "What do you know about {person}?", "Is {person} married?", "When did {person} die?", "What is {person} known for?", "Do you know {person}?", "Have you heard of {person}?", "Who is the wife of {person}?", "What is the phone number of {person}?"],
    "works": ["Who [wrote|composed|painted|made] {work}?", "What is {work} about?", "When was {work} [written|made|painted]?", "Have you read {work}?", "How does {work} end?", "Who is the hero of {work}?", "Is {work} good?", "In which year did {work} appear?"],
    "science": ["What is {thing}?", "How does {thing} work?", "Explain {thing}[ to me|].", "Who [invented|discovered] {thing}?", "When was {thing} [invented|discovered]?", "Why is {thing} important?", "What do you know about {thing}?", "Can you explain how {thing} works?", "Tell me [about|something about] {thing}.", "What is the meaning of {thing}?", "Give me a definition of {thing}.", "What are the parts of {thing}?", "What is the formula for {thing}?"],
    "history": ["When was {event}?", "Who won {event}?", "Why did {event} happen?", "What happened in {event}?", "In what year did {event} begin?", "How long did {event} last?", "Tell me about {event}.", "What happened in [the year |]{year}?", "Who was king in {year}?", "What did people eat in {year}?"],
    "politics": ["Who is the [president|king|queen|prime minister|leader|chancellor|mayor] of {place}?", "Which party won [the election|] in {place}?", "What are the laws in {place}?", "Who governs {place}?", "How high are the taxes in {place}?", "What do you think about the government of {place}?", "Is there a war in {place}?"],
    "geography": ["How many people live in {place}?", "What is the population of {place}?", "How big is {place}?", "What is the [longest river|highest mountain|biggest lake|biggest city|money|flag|currency|national anthem] of {place}?", "How far is it from {place} to {place2}?", "What is the weather in {place}?", "What time is it in {place}?", "How do I get from {place} to {place2}?", "What food do they eat in {place}?", "Which countries border {place}?", "How old is {place}?", "What does a hotel in {place} cost?", "When was {place} founded?", "What can I see in {place}?"],
    "unknown country": ["What is the capital of {country}?", "Which language do people speak in {country}?", "On which continent is {country}?", "What is {country}'s capital?", "Where is {country}?", "Tell me the capital of {country}.", "Do you know the capital of {country}?", "{country}: capital?", "Name the capital city of {country}.", "In which country is {city}?", "Which country has {city} as its capital?", "Where is {city}?", "Where do I find {city}?", "I live in {country}. What is its capital?"],
    "unknown animal": ["What sound does {unknown} make?", "How many legs does {unknown} have?", "What does {unknown} eat?", "Where does {unknown} live?", "What is a baby {bare} called?", "What kind of animal is {unknown}?", "What covers {unknown}?", "Which is bigger, {unknown} or {unknown2}?", "What is {unknown}?", "Tell me about the {bare}.", "What noise do {many} make?", "Why do {many} sleep?", "What do {many} eat?", "How does {unknown} sound?"],
    "made up": ["What is {made}?", "What is {amade}?", "What does {made} mean?", "What colour is {amade}?", "What is the opposite of {made}?", "What is the plural of {made}?", "Who is {Made}?", "Where is {Made}?", "What is the capital of {Made}?", "How many legs does {amade} have?", "What do you do with {amade}?", "What is the past tense of {made}?", "What rhymes with {made}?", "Explain {made}.", "Tell me about {Made}.", "What sound does {amade} make?", "Do you know {Made}?", "What is {amade} made of?", "Who invented the {made}?", "What month comes after {Made}?", "How does {amade} taste?", "What language do people speak in {Made}?", "Can you {made}?", "Define {made}.", "What happened in {Made}?", "Is {made} good for me?", "{Made}?"],
    "animal": ["How [old|heavy|tall|long|fast] is {ak}?", "How long does {ak} live?", "How many teeth does {ak} have?", "What does {ak} dream of?", "How fast can {ak} run?", "What is the Latin name of the {k}?", "How much does {ak} cost?", "What is the scientific name of the {k}?", "How many {pk} are there in the world?", "When did the first {k} live?", "How high can {ak} jump?", "How much does {ak} weigh?", "What is the name of my {k}?", "How many hours does {ak} sleep?"],
    "code": ["[Write|Show me] a [program|function|script] in {product}.", "How do I [install|learn|use|fix|update] {product}?", "What is {product}?", "Why does {product} [crash|not work|show an error]?", "Which version of {product} is the newest?", "Can you debug my {product} code?", "Is {product} better than {product2}?", "How do I write a loop in {product}?", "What does this error mean: {made} failed?", "Can you write code?", "Translate this code into {product}.", "Who made {product}?"],
    "medicine": ["I have a [headache|cough|fever|rash|broken arm|toothache|bad back]. What [should I do|can I take]?", "Which [pill|medicine|drug] helps against [pain|a cold|a cough|fever|{disease}]?", "What are the symptoms of {disease}?", "How do I cure {disease}?", "Is [it safe to take|] {made} [good for me|dangerous]?", "How much [sleep|water|sugar|vitamin C] do I need?", "Is {disease} dangerous?", "Why am I so tired?", "What is a normal blood pressure?", "How many calories are in [bread|an apple|cheese|rice]?"],
    "news": ["What is in the news?", "What happened [today|yesterday|this week|last year]?", "What is the date today?", "What time is it?", "What day is it today?", "How is the weather [today|tomorrow|outside]?", "Will it rain tomorrow?", "Who won the [game|match|race|election|prize]?", "What is the price of [gold|oil|bread|a stamp|a house|milk]?", "What is the stock price of {surname}?", "Who is the richest person[ in the world|]?", "Which film is in the cinema?", "What is the score of the game?", "Which song is number one?", "Who won the {year} championship?", "What is the latest news from {place}?"],
    "personal": ["What is my [name|age|address|birthday|phone number|password|email|job|shoe size|favourite song|favourite film]?", "Where do I live?", "How old am I?", "What did I [eat|do|dream|buy|say] yesterday?", "Who is my [best friend|teacher|boss|mother|neighbour]?", "Where are my [keys|glasses|shoes|books]?", "What am I thinking?", "Do you know where I live?", "What will I do tomorrow?", "When will I get married?", "Should I [quit my job|marry {first}|buy a car|move to {place}|sell my house]?", "Which [car|phone|house|job|school] should I choose?", "Does {first} love me?", "Where is {first}?", "What does {first} want for {pronoun} birthday?"],
    "sport": ["Who is the best [football|tennis|chess|basketball|golf] player?", "Who won the {year} World Cup?", "How do you play [chess|poker|bridge|cricket|golf|rugby]?", "How many goals did {person} score?", "Which team does {person} play for?", "What are the rules of [chess|golf|rugby|baseball|hockey]?", "Who holds the record in [swimming|the high jump|the marathon]?", "Where are the next Olympic Games?"],
    "language": ["[How do you say|What is] [hello|thank you|cat|house|good night|water|bread] in [French|Spanish|German|Italian|Japanese|Chinese|Russian]?", "Translate [I love you|good morning|the dog sleeps|where is the station] into [French|Spanish|German|Latin|Greek].", "What does [bonjour|gracias|danke|ciao|arigato|merci] mean?", "Do you speak [French|Spanish|German|Latin|Turkish]?", "What is the Latin word for [dog|house|water|friend]?", "How many words does [English|French|German] have?"],
    "life": ["What is the meaning of life?", "Is there a god?", "What happens after death?", "Why do people [cry|lie|dream|fight|work|fall in love]?", "What is love?", "What is [time|truth|beauty|art|freedom|happiness]?", "How do I become [rich|famous|happy|a doctor|a pilot]?", "What is the best [song|film|car|phone|school|restaurant|game]?", "Which religion is right?", "Can you lend me money?", "How do I [repair my bike|bake a cake|cook rice|tie a tie|learn the piano|write a letter to the bank|change a tyre|get a visa]?", "Write me [an essay|a letter|a report|a speech|an email] about {thing}.", "What should I cook tonight?", "Can you order [a pizza|a taxi|a book] for me?", "Can you open a web page?", "Call {first}.", "Play some music.", "Book a table for two."],
    "sum": ["What is {x} [times|*|x] {y}?", "[Calculate|Compute] {x} [* |/ |divided by |times ]{y}.", "What is {big} + {big2}?", "How much is {big} - {y}?", "What is the square root of {big}?", "{big} * {x}", "{big} / {x}", "What is {x} percent of {big}?", "What is {x} squared?", "What is half of {big}?", "{big} + {big2}", "How much is {big} plus {big2}?", "Multiply {x} by {y}.", "Divide {big} by {x}."],
}
WEIGHTS = {"people": 2.5, "works": 1.5, "science": 2.5, "history": 1.5, "politics": 1.5, "geography": 2, "unknown country": 2, "unknown animal": 1.5, "made up": 4, "animal": 1.5, "code": 1.5, "medicine": 1.5, "news": 1.5, "personal": 1.5, "sport": 1, "language": 1.2, "life": 1.5, "sum": 1.5}
DISEASES = ["malaria", "measles", "asthma", "flu", "diabetes", "cancer", "mumps", "anaemia", "arthritis", "cholera", "migraine", "pneumonia"]
ANIMALS = sorted({animal for animal, _ in LEGS + HOMES})


def question(rng: random.Random) -> tuple[str, str]:
    """A topic and a question of it."""
    topic = rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
    return topic, capital(expand(pick(TOPICS[topic], rng), rng, _slots(rng)))


def answer(rng: random.Random, topic: str) -> str:
    if topic == "sum" and rng.random() < 0.7:
        return expand(pick(TOO_HARD, rng), rng)
    text = expand(SORRY + UNKNOWN, rng)
    return f"{capital(text)} {expand(pick(AFTER, rng), rng)}".strip()


def _slots(rng: random.Random) -> dict[str, str]:
    made, animal = names.made_up(rng), pick(ANIMALS, rng)
    strange, strange2 = (pick(names.ANIMALS, rng) if rng.random() < 0.5 else names.made_up(rng) for _ in range(2))
    known = [country for country, _ in CAPITALS] + [city for _, city in CAPITALS]
    place, place2 = (pick(known, rng) if rng.random() < 0.5 else pick(names.COUNTRIES + names.CITIES, rng) if rng.random() < 0.6 else capital(names.made_up(rng)) for _ in range(2))
    full = f"{pick(names.FIRST_NAMES, rng)} {pick(names.LAST_NAMES, rng)}"
    person = rng.choices([full, pick(names.PEOPLE, rng), f"{pick(names.FIRST_NAMES, rng)} {capital(names.made_up(rng))}", capital(names.made_up(rng)), "the " + pick(["inventor", "author", "painter", "king", "founder", "singer"], rng) + f" {pick(names.LAST_NAMES, rng)}"], [4, 3, 2, 1, 1])[0]
    return {
        "made": made, "Made": capital(made), "amade": article(made), "k": animal, "ak": article(animal), "pk": plural(animal), "unknown": article(strange), "unknown2": article(strange2), "bare": strange, "many": plural(strange),
        "person": person, "place": place, "place2": place2, "country": pick(names.COUNTRIES, rng) if rng.random() < 0.6 else capital(names.made_up(rng)), "city": pick(names.CITIES, rng) if rng.random() < 0.6 else capital(names.made_up(rng)),
        "work": pick(names.WORKS, rng) if rng.random() < 0.7 else f"the {pick(['book', 'film', 'song', 'opera', 'painting', 'play', 'novel'], rng)} {capital(names.made_up(rng))}", "thing": pick(names.THINGS, rng), "event": pick(names.EVENTS, rng), "year": str(rng.randint(800, 2030)), "product": pick(names.PRODUCTS, rng), "product2": pick(names.PRODUCTS, rng),
        "surname": pick(names.LAST_NAMES, rng), "first": pick(names.FIRST_NAMES, rng), "pronoun": pick(["his", "her"], rng), "disease": pick(DISEASES, rng),
        "x": str(rng.randint(2, 40)), "y": str(rng.randint(2, 40)), "big": str(rng.randint(41, 9999)), "big2": str(rng.randint(41, 9999)),
    }


# The evaluation's fifty: (question, words of it that the training text must not contain).
HELD = [
    ("Who painted the Night Watch?", "night watch"), ("Who was Marie Curie?", "curie"), ("When did Queen Victoria die?", "queen victoria"), ("What is a tsunami?", "tsunami"), ("How does a sewing machine work?", "sewing machine"),
    ("Who is the emperor of Austria?", "emperor"), ("What is the capital of Kazakhstan?", "kazakhstan"), ("In which country is Timbuktu?", "timbuktu"), ("What sound does a platypus make?", "platypus"), ("How many legs does a tarantula have?", "tarantula"),
    ("What is the best way to train for a triathlon?", "triathlon"), ("Explain the rules of backgammon.", "backgammon"), ("Who discovered radium?", "radium"), ("What causes earthquakes?", "earthquakes"), ("How do I write a regular expression?", "regular expression"),
    ("What is Kubernetes?", "kubernetes"), ("Why does my Haskell program not compile?", "haskell"), ("Which antibiotic helps against a throat infection?", "antibiotic"), ("What are the side effects of aspirin?", "aspirin"), ("How long is the Danube?", "danube"),
    ("What is the speed of light?", "speed of light"), ("Who wrote Pride and Prejudice?", "prejudice"), ("Who sang Bohemian Rhapsody?", "rhapsody"), ("When was the Berlin Wall built?", "wall built"), ("Who signed the Magna Carta?", "magna carta"),
    ("What is the exchange rate of the dollar?", "exchange rate"), ("Which airline flies to Lima?", "airline"), ("How many inhabitants does Hanoi have?", "inhabitants"), ("What is the boiling point of mercury?", "boiling point"), ("What is a haiku?", "haiku"),
    ("Can you recommend a good detective novel?", "detective"), ("What did Socrates teach?", "socrates"), ("Who is Lionel Zabriskie?", "zabriskie"), ("What does the word florbinate mean?", "florbinate"), ("What colour is a quindle?", "quindle"),
    ("What is the opposite of snorvish?", "snorvish"), ("Where is the kingdom of Trelandia?", "trelandia"), ("Do you remember my wedding anniversary?", "anniversary"), ("What is my blood type?", "blood type"), ("Which horoscope sign fits me?", "horoscope"),
    ("How do I file my tax return?", "tax return"), ("What is the chemical symbol of silver?", "chemical symbol"), ("How many bones are in the human skeleton?", "skeleton"), ("Who won the Nobel Prize in physics?", "nobel prize"), ("What is the wifi password here?", "wifi"),
    ("How do vaccines against polio work?", "polio"), ("What happened at Chernobyl?", "chernobyl"), ("Is it legal to record a phone call?", "legal to record"), ("What is seventeen times eighty-three?", "seventeen times"), ("How do I replace a bathroom tap?", "bathroom tap"),
]
assert len(HELD) == 50
