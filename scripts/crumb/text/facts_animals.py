"""Facts about animals."""

from .relations import Relation, table

SOUNDS = table("""
dog: barks, cat: meows, cow: moos, sheep: bleats, horse: neighs, pig: oinks, duck: quacks, lion: roars, frog: croaks, bee: buzzes,
snake: hisses, owl: hoots, wolf: howls, mouse: squeaks, donkey: brays, crow: caws, hen: clucks, turkey: gobbles, pigeon: coos,
elephant: trumpets, goose: honks, cricket: chirps, parrot: talks""")
YOUNG = table("""
dog: puppy, cat: kitten, cow: calf, sheep: lamb, horse: foal, pig: piglet, duck: duckling, lion: cub, frog: tadpole, goose: gosling,
goat: kid, deer: fawn, hen: chick, swan: cygnet, kangaroo: joey, owl: owlet, butterfly: caterpillar, eagle: eaglet""")
LEGS = [(animal, count) for count, animals in {
    "four": "dog cat cow sheep horse pig lion frog goat deer wolf mouse donkey fox bear elephant rabbit tiger zebra giraffe turtle hedgehog",
    "two": "duck hen owl crow goose swan penguin eagle parrot pigeon ostrich robin",
    "six": "bee ant butterfly ladybird beetle cricket fly", "eight": "spider scorpion", "no": "snake fish worm snail whale shark",
}.items() for animal in animals.split()]
HOMES = table("""
bee: hive, bird: nest, dog: kennel, horse: stable, spider: web, fox: den, rabbit: burrow, pig: sty, lion: den, ant: anthill,
cow: barn, beaver: lodge, hen: coop, fish: water, camel: desert, monkey: jungle, polar bear: ice, mole: tunnel, crab: beach, bear: cave,
frog: pond, squirrel: tree, whale: sea""")
FOODS = table("""
cow: grass, rabbit: carrots, cat: mice, bear: honey, squirrel: nuts, monkey: bananas, panda: bamboo, bird: seeds, lion: meat, sheep: grass,
horse: hay, mouse: cheese, frog: flies, giraffe: leaves, spider: flies, caterpillar: leaves, pelican: fish, penguin: fish, dog: bones,
hedgehog: worms, seal: fish, hen: corn""")
KINDS = [(animal, kind) for kind, animals in {
    "mammal": "dog cat cow sheep horse pig lion goat deer wolf mouse donkey fox bear elephant rabbit whale bat monkey kangaroo tiger",
    "bird": "duck hen owl crow goose swan penguin eagle parrot pigeon ostrich robin",
    "insect": "bee ant butterfly ladybird beetle cricket fly mosquito", "reptile": "snake crocodile lizard turtle",
    "fish": "shark salmon trout goldfish herring", "amphibian": "frog toad newt",
}.items() for animal in animals.split()]

RELATIONS = [
    Relation(
        "sound", "animals", SOUNDS,
        asks=[
            "What sound does {ak} make?", "What noise does {ak} make?", "[What|Which] [sound|noise] do {pk} make?", "How does {ak} [sound|talk|call]?", "What does {ak} do when it makes a sound?",
            "I hear {ak}. What sound is it?", "[The|A] {k} makes which sound?", "How do {pk} [talk|sound|call]?", "What do {pk} do to be heard?", "There is {ak} outside. What does it sound like?",
            "What does the {k} [say|do when it is loud]?", "Which sound comes from {ak}?", "dog barks, and {k}?", "How do you call the sound of {ak}?",
        ],
        nps=["the sound {ak} makes", "the sound of {ak}", "the noise {ak} makes", "the sound {pk} make", "the noise of {pk}"],
        held=["When {ak} opens its mouth, what do we hear?", "What would {ak} be heard doing at the farm or in the wild?", "Describe the voice of {ak}.", "Which verb fits the voice of {pk}?"],
        answers=["{Ak} {a}.", "The {k} {a}.", "It {a}.", "{Ak} {a}, and you can hear it.", "When {ak} makes a sound, it {a}."], brief="It {a}.",
        follow=["And {ak}?", "What about {ak}?", "And the {k}?", "And {pk}?", "What does {ak} do?"],
    ),
    Relation(
        "young", "animals", YOUNG,
        asks=[
            "What is a [baby|young|little|small] {k} called?", "What do you call a [baby|young] {k}?", "[How|What] do we call the [baby|young|child] of {ak}?", "A [baby|young] {k} is called what?",
            "The {k} has a baby. What is it called?", "What does {ak} call its baby?", "[What|Which] is the word for a [baby|young] {k}?", "What is the [child|baby] of {ak}?", "{Ak} was a baby once. What was it called then?",
            "Our {k} had a little one. What do we call it?", "How is a [small|baby] {k} named?", "What are [baby|young|little] {pk} called? Just one of them.",
        ],
        nps=["the young of {ak}", "the baby of {ak}", "the word for a baby {k}", "the name for a young {k}", "a baby {k}"],
        held=["Before it grows up, {ak} is known as what?", "Which word names the little one of {ak}?", "A mother {k} looks after her what?", "What grows up to be {ak}?"],
        answers=["A young {k} is called {aa}.", "{Aa}.", "It is called {aa}.", "A baby {k} is {aa}.", "We call it {aa}.", "The young of {ak} is {aa}."], brief="{Aa}.",
        follow=["And of {ak}?", "What about {ak}?", "And a baby {k}?", "And the young of {ak}?"],
    ),
    Relation(
        "legs", "animals", LEGS,
        asks=[
            "How many legs does {ak} have?", "How many legs do {pk} have?", "How many legs has {ak} got?", "How many feet does {ak} [walk|stand] on?", "[Count|Tell me] the legs of {ak}.", "{Ak} has how many legs?",
            "On how many legs does {ak} stand?", "Does {ak} have two legs or four or more?", "I draw {ak}. How many legs do I need?", "How many legs are there on {ak}?", "Legs of {ak}?", "What number of legs does {ak} have?",
        ],
        nps=["the number of legs of {ak}", "the number of legs {ak} has", "how many legs {ak} has"],
        held=["If I look under {ak}, how many legs will I count?", "I want to knit socks for {ak}; how many legs should I plan for?", "The legs of {ak} number how many?"],
        answers=["{Ak} has {a} legs.", "It has {a} legs.", "{A} legs.", "{Pk} have {a} legs.", "The {k} has {a} legs."], brief="{A}.",
        follow=["And {ak}?", "What about {ak}?", "And how many does {ak} have?"],
    ),
    Relation(
        "home", "animals", HOMES,
        asks=[
            "Where does {ak} live?", "Where do {pk} live?", "What is the home of {ak}?", "Where is {ak} at home?", "What does {ak} live in?", "Where can I find {ak}?", "What is {ak}'s home called?", "Where does {ak} sleep?",
            "[In|] which place does {ak} live?", "Where is the house of {ak}?", "I am looking for {ak}. Where does it live?", "Where do you find {pk}?", "What home does {ak} have?", "Where would {ak} like to be?",
        ],
        nps=["the home of {ak}", "the place where {ak} lives", "the place where {pk} live", "the house of {ak}"],
        held=["At night, {ak} goes home to what?", "Which spot does {ak} call home?", "What kind of dwelling suits {ak}?"],
        answers=["The home of {ak} is the {a}.", "Its home is the {a}.", "You find {ak} at home here: the {a}.", "The {a}."], brief="The {a}.",
        follow=["And {ak}?", "What about {ak}?", "And where does {ak} live?"],
    ),
    Relation(
        "food", "animals", FOODS,
        asks=[
            "What does {ak} [eat|like to eat|love to eat]?", "What do {pk} [eat|like to eat]?", "What [food|meal] does {ak} like?", "What [can|should|could] I [feed|give] {ak}?", "I have {ak}. What does it eat?", "{Ak} is hungry. What does it want?",
            "What is the [food|dinner|lunch] of {ak}?", "{Ak} eats what?", "What is good food for {ak}?", "What do you [feed|give] {ak}?", "Which food is for {pk}?", "What will {ak} eat?", "What does a hungry {k} look for?",
        ],
        nps=["the food of {ak}", "the food {ak} likes", "the favourite food of {ak}", "something {ak} eats", "what {ak} eats"],
        held=["Lunch for {ak} usually means what?", "Which meal makes {ak} happy?", "What fills the belly of {ak}?"],
        answers=["{Ak} eats {a}.", "It eats {a}.", "{A}.", "{Pk} eat {a}.", "{Ak} likes to eat {a}.", "It likes {a}."],
        follow=["And {ak}?", "What about {ak}?", "And what does {ak} eat?"],
    ),
    Relation(
        "kind", "animals", KINDS,
        asks=[
            "What kind of animal is {ak}?", "What sort of animal is {ak}?", "What type of animal is {ak}?", "Is {ak} a bird, a fish, an insect, a reptile, an amphibian or a mammal?", "[To|] which [group|class] of animals does {ak} belong?",
            "What group [of animals |]is {ak} in?", "What kind of animals are {pk}?", "{Ak} is what kind of animal?", "Which kind of animal do you call {ak}?", "Is {ak} a mammal or something else?", "What class of animal is the {k}?",
        ],
        nps=["the kind of animal that {ak} is", "the animal group of {ak}", "the class of the {k}"],
        held=["In an animal book, in which chapter would I find {ak}: bird, fish, insect, reptile, amphibian or mammal?", "Scientists sort {ak} under what?", "{Pk} count as which kind of creature?"],
        answers=["{Ak} is {aa}.", "It is {aa}.", "{Aa}.", "The {k} is {aa}."], brief="{Aa}.", rivals=["mammal", "bird", "insect", "reptile", "fish", "amphibian"],
        follow=["And {ak}?", "What about {ak}?", "And the {k}?"],
    ),
]
