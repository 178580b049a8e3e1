"""Names that crumb has never heard of: made-up words, and real ones from outside its small world.

Entities and topics in HELD_* belong to the evaluation; `corpus.py` asserts that none of them
reaches the training text.
"""

import random

from .patterns import pick

_ONSETS = "b bl br c ch cl cr d dr f fl fr g gl gr h j k kl kr l m n p pl pr qu r s sch sh sk sl sm sn sp st str t th tr v w x y z zh".split()
_VOWELS = "a e i o u a e i o u ai au ea ee ei ie oa oo ou y".split()
_CODAS = "b ck d f g k l lk ll m mp n nd ng nk nt p r rd rk rn rt s sh ss st t th x z".split() + [""] * 12


def made_up(rng: random.Random) -> str:
    """A pronounceable word that means nothing."""
    return "".join(pick(_ONSETS, rng) + pick(_VOWELS, rng) + pick(_CODAS, rng) for _ in range(rng.choice([1, 2, 2, 2, 3, 3, 4])))


FIRST_NAMES = "Adam Albert Alice Amelia Andrew Angela Arthur Barbara Bob Boris Bruno Carl Carla Charles Chloe Clara Daniel David Diana Edgar Elena Emil Emma Eric Eva Felix Fiona Frank Frida George Grace Greta Hannah Harold Harry Helen Henry Hugo Ines Isaac Ivan Jack James Jane Jason Joan John Jonas Joseph Julia Karen Kevin Kim Laura Leon Linda Louis Lucas Lucy Marco Maria Mark Martin Mary Michael Miriam Monica Nina Olga Oliver Oscar Pablo Pedro Peter Philip Rachel Ralph Rebecca Richard Robert Roger Rosa Sarah Simon Sofia Stella Steven Susan Theo Thomas Tina Victor Vera Walter William Yuri".split()
LAST_NAMES = "Anderson Baker Becker Bell Berg Black Brown Carter Chen Clark Cole Cooper Costa Cruz Dahl Davis Diaz Duval Evans Fischer Ford Foster Garcia Gomez Graham Gray Green Hall Hansen Harris Hill Hoffman Hughes Ito Jackson Jensen Johnson Jones Kaiser Kelly King Klein Kovacs Lang Larsen Lee Lopez Mason Meyer Miller Moore Morgan Muller Nguyen Novak Olsen Park Parker Perez Petrov Price Ramos Reed Richter Rivera Rossi Russell Santos Schmidt Scott Silva Smith Stone Suzuki Taylor Thompson Torres Turner Vogel Wagner Walker Weber White Wilson Wolf Wood Wright Young Zhang".split()
PEOPLE = ["Napoleon", "Einstein", "Mozart", "Beethoven", "Bach", "Picasso", "Caesar", "Newton", "Darwin", "Galileo", "Gandhi", "Columbus", "Cleopatra", "Aristotle", "Plato", "Goethe", "Dante", "Homer", "Lincoln", "Churchill", "Chopin", "Rembrandt", "Van Gogh", "Tolstoy", "Dickens", "Marx", "Kant", "Freud", "Edison", "Tesla", "Michelangelo", "Confucius", "Buddha", "Mandela", "Elvis", "Madonna"]
COUNTRIES = ["Mexico", "Colombia", "Venezuela", "Bolivia", "Ecuador", "Uruguay", "Paraguay", "Panama", "Jamaica", "Haiti", "Algeria", "Tunisia", "Libya", "Sudan", "Ethiopia", "Somalia", "Tanzania", "Uganda", "Zambia", "Angola", "Congo", "Senegal", "Mali", "Niger", "Chad", "Iraq", "Iran", "Syria", "Jordan", "Israel", "Yemen", "Oman", "Qatar", "Pakistan", "Bangladesh", "Myanmar", "Laos", "Cambodia", "Malaysia", "Indonesia", "Philippines", "Mongolia", "Korea", "Taiwan", "New Zealand", "Fiji", "Latvia", "Lithuania", "Estonia", "Belarus", "Serbia", "Albania", "Slovenia", "Slovakia", "Malta", "Cyprus", "Luxembourg", "Armenia", "Georgia"]
CITIES = ["New York", "Chicago", "Boston", "Los Angeles", "Toronto", "Sydney", "Melbourne", "Shanghai", "Mumbai", "Barcelona", "Milan", "Naples", "Munich", "Hamburg", "Lyon", "Marseille", "Manchester", "Liverpool", "Glasgow", "Zurich", "Geneva", "Krakow", "Istanbul", "Osaka", "Seoul", "Singapore", "Dubai", "Baghdad", "Damascus", "Jerusalem", "Nice", "Porto", "Seville", "Antwerp"]
ANIMALS = ["axolotl", "quokka", "okapi", "wombat", "lemur", "gecko", "iguana", "meerkat", "narwhal", "puffin", "pangolin", "ocelot", "jackal", "gibbon", "mongoose", "weasel", "stoat", "vulture", "heron", "stork", "flamenco", "anteater", "armadillo", "sloth", "koala", "possum", "yak", "bison", "moose", "walrus", "lynx", "puma", "emu", "kiwi", "squid", "cuttlefish", "sturgeon", "piranha", "termite", "locust"]
WORKS = ["Hamlet", "Faust", "the Iliad", "the Odyssey", "Don Quixote", "War and Peace", "the Mona Lisa", "the Magic Flute", "Carmen", "Moby Dick", "Robinson Crusoe", "Star Wars", "Titanic", "Casablanca", "the Jungle Book", "Peter Pan", "Dracula", "Frankenstein"]
THINGS = ["a transistor", "a laser", "a microwave", "a vaccine", "a black hole", "an atom", "a molecule", "electricity", "gravity", "inflation", "democracy", "philosophy", "evolution", "a virus", "bacteria", "a computer chip", "the internet", "a satellite", "a nuclear reactor", "photosynthesis", "an algorithm", "a database", "quantum physics", "a mortgage", "insurance", "a stock", "a bond", "the brain", "cholesterol", "diabetes", "cancer", "a fever", "penicillin", "DNA", "a gene", "an enzyme", "a galaxy", "a comet", "a quark", "relativity", "radar", "plastic", "concrete", "petrol", "a turbine", "a piston", "a rocket engine", "a battery", "hydrogen", "oxygen", "carbon", "uranium", "a logarithm", "calculus", "algebra", "a matrix", "a prime number", "a sonnet", "a symphony", "jazz", "opera", "ballet", "impressionism", "the Renaissance", "feudalism", "capitalism", "communism", "a parliament", "a constitution", "a treaty", "a tax", "an embargo", "a monarchy"]
PRODUCTS = ["Python", "Java", "Rust", "Linux", "Windows", "Android", "Excel", "Photoshop", "Docker", "Git", "SQL", "HTML", "Bluetooth", "a printer", "a router", "a smartphone", "a laptop", "a washing machine"]
TEAMS = ["the football team", "the hockey team", "the champions", "the home team", "the national team", "the tennis player", "the runner"]
EVENTS = ["the French Revolution", "the First World War", "the Second World War", "the fall of Rome", "the Olympic Games", "the World Cup", "the election", "the Cold War", "the gold rush", "the great fire", "the moon landing", "the plague", "the battle of Hastings", "the battle of Waterloo", "the Industrial Revolution", "the Crusades"]
