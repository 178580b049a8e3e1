"""Facts about everyday things: colours, materials, uses, jobs, places, tastes, shapes, sizes."""

from itertools import permutations

from .relations import Relation, table

COLOURS = [(thing, colour) for colour, things in {
    "yellow": "a lemon,a banana,the sun,a sunflower,a canary,a chick,butter,corn", "red": "blood,a strawberry,a tomato,a fire engine,a cherry,a ladybird,a poppy",
    "green": "grass,a frog,a leaf,a cucumber,a pea,spinach,a lime,a cactus", "blue": "the sky on a clear day,the sea,a blueberry,sapphire",
    "white": "snow,milk,salt,a swan,a polar bear,a snowman,flour,chalk", "black": "coal,a raven,the night sky,tar,a crow,soot", "orange": "a carrot,an orange,a pumpkin,a goldfish",
    "brown": "chocolate,soil,a chestnut,wood,a bear,coffee", "pink": "a flamingo,a pig", "purple": "a plum,lavender,an aubergine,a violet", "grey": "an elephant,ash,a rain cloud,a mouse,a donkey",
}.items() for thing in things.split(",")]
MIXES = [pair for a, b, c in [("red", "yellow", "orange"), ("blue", "yellow", "green"), ("red", "blue", "purple"), ("red", "white", "pink"), ("black", "white", "grey"), ("red", "green", "brown")]
         for pair in ((f"{a} and {b}", c), (f"{b} and {a}", c))]
MATERIALS = table("""
a window: glass, a book: paper, a tyre: rubber, a jumper: wool, a candle: wax, a brick: clay, a wooden table: wood, a nail: iron, a ring: gold, a snowman: snow, a shoe: leather,
a shirt: cotton, a coin: metal, a castle on the beach: sand, a bottle: glass, a newspaper: paper, a fence: wood, a saw blade: steel, an ice cube: water, a bell: bronze""")
INGREDIENTS = table("""
bread: flour, cheese: milk, butter: milk, wine: grapes, chips: potatoes, apple pie: apples, an omelette: eggs, jam: fruit, orange juice: oranges, ketchup: tomatoes,
chocolate: cocoa, lemonade: lemons, popcorn: corn, raisins: grapes, yoghurt: milk, pancakes: flour""")
TOOLS = table("""
cut paper: scissors, hit a nail: hammer, write a letter: pen, dig a hole: shovel, sweep the floor: broom, open a lock: key, tell the time: clock, eat soup: spoon, cut bread: knife,
brush my teeth: toothbrush, dry myself: towel, take a photo: camera, cook soup: pot, fry an egg: pan, see in the dark: torch, stay dry in the rain: umbrella, measure a line: ruler,
saw a plank: saw, sew a shirt: needle, call a friend: telephone, wash my hands: soap, comb my hair: comb, see far away: telescope, find north: compass, weigh flour: scale, boil water: kettle,
rub out a pencil line: eraser, paint a picture: brush, catch a fish: net, climb to the roof: ladder""")
SENSES = table("see: eyes, hear: ears, smell: nose, taste: tongue, walk: legs, think: brain, chew: teeth, hold things: hands, breathe: lungs, kick a ball: foot, wave: hand, speak: mouth")
JOBS = table("""
bakes bread: baker, teaches children: teacher, heals sick people: doctor, puts out fires: firefighter, grows corn: farmer, catches fish: fisherman, cuts hair: hairdresser, flies a plane: pilot,
brings letters: postman, builds houses: builder, cooks in a restaurant: cook, heals animals: vet, makes clothes: tailor, repairs cars: mechanic, catches thieves: policeman, sails a ship: sailor,
paints pictures: painter, writes books: author, looks after teeth: dentist, drives a bus: driver, plants flowers: gardener, repairs water pipes: plumber, sells meat: butcher, judges in court: judge""")
PLACES = table("""
borrow a book: library, buy bread: bakery, see a doctor: hospital, learn to read: school, catch a train: station, see wild animals: zoo, swim: pool, watch a film: cinema, buy stamps: post office,
fly away by plane: airport, see old paintings: museum, eat a meal out: restaurant, play outside: park, keep money: bank, milk a cow: farm, buy medicine: pharmacy, sleep on a journey: hotel,
see a play: theatre, moor a boat: harbour, build sandcastles: beach, park the car: garage, pick apples: orchard""")
TASTES = table("a lemon: sour, honey: sweet, sugar: sweet, salt: salty, vinegar: sour, candy: sweet, sea water: salty, pepper: hot, chocolate: sweet, chilli: hot, coffee without sugar: bitter, a ripe peach: sweet")
SHAPES = table("triangle: three, square: four, rectangle: four, pentagon: five, hexagon: six, octagon: eight, circle: no")
TEMPERATURES = table("ice: cold, fire: hot, snow: cold, boiling water: hot, an oven: hot, a freezer: cold, the sun: hot, steam: hot, an iceberg: cold, winter: cold, lava: hot, ice cream: cold")
_SIZES = ["ant", "bee", "mouse", "frog", "rabbit", "cat", "fox", "sheep", "pig", "lion", "horse", "elephant", "whale"]
COMPARED = [(f"{a}|{b}", a if _SIZES.index(a) > _SIZES.index(b) else b) for a, b in permutations(_SIZES, 2)]


class _Bare(Relation):
    """A relation whose keys include their article."""

    def slots(self, key: str, answer: str) -> dict[str, str]:
        slots = super().slots(key, answer)
        return slots | {"ak": key, "Ak": slots["K"]}


class _Compared(Relation):
    """A relation whose keys name two things, such as "ant|bee"."""

    def slots(self, key: str, answer: str) -> dict[str, str]:
        one, two = key.split("|")
        slots, first, second = super().slots(one, answer), super().slots(one, one), super().slots(two, two)
        loser = two if answer == one else one
        return slots | {"ak": first["aa"], "Ak": first["Aa"], "am": second["aa"], "m": two, "al": super().slots(loser, loser)["aa"], "l": loser}


RELATIONS = [
    _Bare(
        "colour", "things", COLOURS,
        asks=["What colour is {k}?", "[What|Which] colour does {k} have?", "What is the colour of {k}?", "{K} is what colour?", "{K} has [what|which] colour?", "I [paint|draw|colour] {k}. Which colour do I need?", "What colour would you paint {k}?", "What color is {k}?", "Which colour is {k}?", "Tell me what colour {k} is.",
              "Do you know what colour {k} is?", "Is {k} red, green, blue or another colour?", "{K}: colour?", "colour of {k}", "Look at {k}. What colour do you see?"],
        nps=["the colour of {k}", "the usual colour of {k}", "the color of {k}", "the colour {k} has"],
        held=["Which crayon should I take for {k}?", "How would you describe {k} to someone, colour first?", "In a picture book, {k} would be printed in which colour?"],
        answers=["{K} is {a}.", "{A}.", "It is {a}.", "The colour of {k} is {a}.", "{K} is usually {a}."], follow=["And {k}?", "What about {k}?", "And what colour is {k}?"], weight=1.4,
    ),
    Relation(
        "mix", "things", MIXES,
        asks=["What [colour |]do you get if you mix {k}?", "What colour do {k} make [together|]?", "Mix {k}. What do you get?", "I mix {k}. Which colour comes out?", "{K} make which colour?", "What is {k} mixed?", "If I put {k} together, what colour is it?", "Which colour is made of {k}?"],
        nps=["the colour you get from {k}", "the mix of {k}"],
        held=["On my palette {k} run into one another; what appears?", "A painter stirs {k} into one pot. Which shade results?", "Which colour hides in a blend of {k}?"],
        answers=["{K} make {a}.", "{A}.", "You get {a}.", "Mixed together, {k} make {a}."], weight=0.7,
    ),
    _Bare(
        "material", "things", MATERIALS,
        asks=["What is {k} made of?", "What do you make {k} of?", "What do people make {k} from?", "Of what is {k} made?", "{K} is made of what?", "Which material is {k} made of?", "I want to make {k}. What do I need?", "What material do you use for {k}?", "What stuff is {k} made from?"],
        nps=["the material of {k}", "the material {k} is made of", "what {k} is made of"],
        held=["To produce {k}, which raw stuff is needed?", "What does {k} consist of?", "Touch {k}: which material is under your fingers?"],
        answers=["{K} is made of {a}.", "{A}.", "It is made of {a}.", "You make {k} of {a}."], follow=["And {k}?", "What about {k}?"],
    ),
    _Bare(
        "ingredient", "things", INGREDIENTS,
        asks=["What is [in|needed for] {k}?", "What do I need to make {k}?", "What do you make {k} from?", "Where does {k} come from, what is it made from?", "How do you make {k}, from what?", "I want to cook or make {k}. What should I buy?", "What goes into {k}?", "Which food is used for {k}?"],
        nps=["the main thing in {k}", "what you need to make {k}", "the food that {k} comes from"],
        held=["Which shopping do I need for {k}?", "Without what could nobody prepare {k}?", "{K} begins life as what?"],
        answers=["For {k} you need {a}.", "{A}.", "You need {a}.", "From {a} people make {k}."], follow=["And {k}?", "What about {k}?"], weight=0.8,
    ),
    Relation(
        "tool", "things", TOOLS,
        asks=["What do I need to {k}?", "[What|Which tool|Which thing] do I use to {k}?", "I want to {k}. What do I [need|take|use]?", "How can I {k}? What do I need?", "With what do you {k}?", "What do people use to {k}?", "What should I take to {k}?", "What helps me to {k}?", "To {k}, what do I need?", "Which thing is good to {k}?", "What is used to {k}?", "I have to {k}. Which thing helps?"],
        nps=["the thing you use to {k}", "the tool to {k}", "the thing one needs to {k}"],
        held=["Somebody has to {k}; what should I hand over?", "What ought I to pack if I mean to {k}?", "Without what would it be hard to {k}?"],
        answers=["To {k} you need: {a}.", "You need this: {a}.", "Use this: {a}.", "{A}.", "With this you can {k}: {a}."], follow=["And to {k}?", "What about this: to {k}?"],
    ),
    Relation(
        "sense", "things", SENSES,
        asks=["What do we use to {k}?", "With what do you {k}?", "Which part of the body do I need to {k}?", "What part of the body helps us {k}?", "What do people {k} with?", "How do we {k}, with which part of the body?", "I {k} with my ...?", "Which part of me can {k}?"],
        nps=["the part of the body we use to {k}", "the part of the body to {k}"],
        held=["A doctor checks whether I can {k}; which part of me is looked at?", "To {k}, which bit of my body goes to work?", "What on me lets me {k}?"],
        answers=["We {k} with this part of the body: {a}.", "{A}.", "You need this part of the body: {a}.", "With the {a}."], follow=["And to {k}?"], weight=0.6,
    ),
    Relation(
        "job", "things", JOBS,
        asks=["Who {k}?", "What do you call [a person|someone] who {k}?", "Which job is it: a person who {k}?", "What is the job of a person who {k}?", "My aunt {k}. What is her job?", "Tom {k}. What is he?", "A person who {k} is called what?", "Who is it that {k}?", "What is the name of the job if someone {k}?", "What is somebody who {k}?"],
        nps=["the person who {k}", "the job of someone who {k}", "the word for a person who {k}"],
        held=["My neighbour {k} every day; which profession is that?", "If she {k}, how does she earn her money?", "Whom do I call when I want one that {k}?"],
        answers=["A {a} {k}.", "{Aa}.", "That is {aa}.", "A person who {k} is {aa}.", "It is {aa}."], brief="{Aa}.", follow=["And who {k}?", "And a person who {k}?"],
    ),
    Relation(
        "place", "things", PLACES,
        asks=["Where can I {k}?", "Where do [people|you|we|I] {k}?", "Where do I go to {k}?", "I want to {k}. Where should I go?", "Which place is good to {k}?", "What is the place to {k}?", "In what place can you {k}?", "Where would you go to {k}?", "Where is it possible to {k}?", "What do you call a place where people {k}?"],
        nps=["the place where people {k}", "the place to {k}", "a place where I can {k}"],
        held=["My plan for today is to {k}; where does that take me?", "Someone new in town hopes to {k}. Which building or place do you name?", "Which sign should I follow to {k}?"],
        answers=["You can {k} here: the {a}.", "At the {a}.", "Go to the {a}.", "The {a}.", "People {k} at the {a}."], brief="The {a}.", follow=["And to {k}?", "And where can I {k}?"],
    ),
    _Bare(
        "taste", "things", TASTES,
        asks=["How does {k} taste?", "What does {k} taste like?", "What is the taste of {k}?", "Is {k} sweet, sour, salty, hot or bitter?", "{K} tastes how?", "I try {k}. What will I taste?", "What taste does {k} have?"],
        nps=["the taste of {k}", "how {k} tastes"],
        held=["If I put {k} on my tongue, what do I notice?", "Describe the flavour of {k}.", "My tongue meets {k}. Which taste is it?"],
        answers=["{K} tastes {a}.", "{A}.", "It tastes {a}.", "It is {a}."], follow=["And {k}?", "What about {k}?"], weight=0.7,
    ),
    Relation(
        "sides", "things", SHAPES,
        asks=["How many sides does {ak} have?", "How many corners does {ak} have?", "{Ak} has how many sides?", "Count the sides of {ak}.", "How many lines do I need to draw {ak}?", "How many edges has {ak}?", "I draw {ak}. How many sides is that?", "The number of sides of {ak}?"],
        nps=["the number of sides of {ak}", "the number of corners of {ak}", "how many sides {ak} has"],
        held=["Walk once around {ak}: how many sides do you pass?", "How many straight pieces form {ak}?", "With matches I lay {ak}; how many sides will it show?"],
        answers=["{Ak} has {a} sides.", "{A} sides.", "It has {a} sides.", "The {k} has {a} sides."], brief="{A}.", follow=["And {ak}?", "What about {ak}?"], weight=0.7,
    ),
    _Bare(
        "temperature", "things", TEMPERATURES,
        asks=["Is {k} hot or cold?", "How does {k} feel, hot or cold?", "What is {k}, hot or cold?", "{K}: hot or cold?", "Would {k} feel hot or cold?", "Is it hot or cold: {k}?", "Tell me if {k} is hot or cold."],
        held=["If I came close to {k}, would I shiver or sweat: is it hot or cold?", "Cold or hot, which of the two is {k}?", "A thermometer near {k} would say hot or cold?"],
        answers=["{K} is {a}.", "{A}.", "It is {a}."], follow=["And {k}?", "What about {k}?"], weight=0.6, rivals=[],
    ),
    _Compared(
        "bigger", "things", COMPARED,
        asks=["Which is bigger, {ak} or {am}?", "What is bigger: {ak} or {am}?", "Who is bigger, {ak} or {am}?", "Is {ak} bigger than {am}, or the other way round?", "{Ak} or {am}: which is bigger?", "Which one is larger, {ak} or {am}?", "Compare {ak} and {am}. Which is bigger?", "Which animal is bigger, the {k} or the {m}?", "{Ak} and {am}: who is bigger?", "Which of the two is bigger, {ak} or {am}?"],
        nps=["the bigger animal, {ak} or {am}", "the bigger one of {ak} and {am}"],
        held=["Standing side by side, {ak} and {am}: which takes up more room?", "Of {ak} and {am}, which one is the larger?", "I see {ak} next to {am}. Name the one of greater size."],
        answers=["{Aa} is bigger than {al}.", "The {a} is bigger.", "{Aa}.", "The {a} is bigger than the {l}."], brief="{Aa}.", rivals=[], follow=["And {ak} or {am}?", "What about {ak} or {am}?"], weight=1.2,
    ),
]
