"""Short stories of 60 to 200 tokens, with a hero, a wish or a problem, a helper, and an end.

A plot is a list of scenes. A scene is a list of ways to tell it. Hero, thing, place, helper,
weather, food and feelings vary independently, so that two stories are almost never equal.
"""

import random

from . import story_parts as parts
from .patterns import article, capital, expand, pick

PLOTS: dict[str, list[list[str]]] = {
    "lost": [
        ["{n} had {aobj} that {he} loved very much.", "More than anything {n} loved {his} {obj}.", "{His} best thing was {aobj}.", "{n} took {his} {obj} with {him} wherever {he} went."],
        ["One morning the {obj} was gone.", "But one day {he} could not find it.", "One day {he} lost it on the way home.", "But when {he} woke up, the {obj} was not there."],
        ["{n} looked [under the bed and behind the door|in the kitchen and in the garden|in every room|everywhere], but it was not there.", "{He} was very {sad} and began to look for it.", "\"Where can it be?\" {he} asked, and {he} felt {sad}."],
        ["Then {helper} came by. \"What are you looking for?\" asked {thehelper}.", "On the road {he} met {helper}. \"Why are you so {sad}?\" asked {thehelper}.", "{Helper} heard {him} cry. \"Let me help you,\" said {thehelper}."],
        ["They looked together and found the {obj} {spot}.", "\"I saw something {spot},\" said {thehelper}. They ran there, and there was the {obj}.", "Together they went to look {spot}. There it was!"],
        ["\"Thank you!\" said {n}. {He} was {feeling}.", "{n} jumped for joy.", "{n} gave {thehelper} some {food} to say thank you."],
    ],
    "found": [
        ["One day {n} found {aobj} {spot}.", "On a walk {he} saw something {spot}. It was {aobj}.", "While {he} was playing, {n} found {aobj} {spot}."],
        ["\"Whose is this?\" {he} asked.", "{He} wanted to keep it, but it was not {his}.", "It was so pretty that {n} wanted to keep it.", "{n} had never seen such a thing."],
        ["{n} asked [everyone in the {place}|the neighbours|all the animals], but nobody knew.", "{He} carried it through the whole {place} and asked and asked.", "{He} thought about it all night and could not sleep."],
        ["Then {he} met {helper}, who was very {sad}. \"I have lost my {obj},\" said {thehelper}.", "At last {helper} came. \"That is mine!\" said {thehelper}. \"I looked for it for days.\"", "The next day {helper} sat by the road and cried. \"My {obj} is gone,\" said {thehelper}."],
        ["{n} gave it back at once.", "\"Here it is,\" said {n}, and gave it back.", "{n} held out the {obj}. \"I found it {spot},\" {he} said."],
        ["\"You are honest,\" said {thehelper}, and shared some {food} with {him}.", "{Thehelper} was {feeling} and gave {n} some {food}.", "\"Thank you, {n},\" said {thehelper}. \"You have a good heart.\""],
    ],
    "storm": [
        ["One evening a big storm came.", "One night the wind blew and the rain fell hard.", "Dark clouds came over the {place}, and it began to thunder."],
        ["{n} was afraid and hid {spot}.", "{n} was far from home and very {sad}.", "The rain was so strong that {n} could not see the way."],
        ["Then {he} saw a small light.", "Suddenly {he} heard a voice.", "Through the rain {he} heard somebody call."],
        ["It was {helper} with {aobj}. \"Come in,\" said {thehelper}.", "{Helper} stood there and held {aobj}. \"Do not be afraid,\" said {thehelper}.", "It was {helper}. \"Follow me,\" said {thehelper}, \"I know a dry place.\""],
        ["They sat by the fire and ate {food} until the storm was over.", "They waited together and told each other stories.", "Inside it was warm, and there was {food} for both."],
        ["In the morning the sun came out again, and {n} went home.", "When the storm was over, {thehelper} showed {n} the way home.", "Soon the rain stopped and the stars came out."],
    ],
    "wish": [
        ["{n} had one big wish: {he} wanted to [fly like a bird|see the sea|swim across the lake|climb the highest hill|sing like the birds|touch the moon].", "Every day {n} dreamed of [flying|the sea|the top of the mountain|the stars|a long journey].", "More than anything {n} wanted to see what was behind the hills."],
        ["\"You are too small,\" said the others, and they laughed.", "\"That is not possible,\" said everyone in the {place}.", "But nobody wanted to come along.", "{His} brothers only shook their heads."],
        ["But {n} did not give up. {He} [practised every day|tried again and again|made a plan|packed some {food} and went off].", "So {n} took {his} {obj} and some {food} and went alone.", "{n} thought for a long time. Then {he} had an idea."],
        ["On the way {he} met {helper}. \"I will show you how,\" said {thehelper}.", "{Helper} saw {him} and said, \"Take this {obj}. It will help you.\"", "{Helper} said, \"Slowly, step by step. Then you can do it.\""],
        ["It was hard, but at last {n} did it.", "They tried it together, once, twice, three times. Then it worked!", "After many days {his} wish came true."],
        ["\"I did it!\" {he} cried, and {he} was {feeling}.", "The others could not believe their eyes.", "Now nobody laughed any more, and {n} was {feeling}."],
    ],
    "share": [
        ["It was a hard winter, and there was little to eat.", "One day {n} found a big basket of {food}.", "{n} had collected {food} all summer long.", "{n} had baked a whole table full of {food}."],
        ["\"It is all mine,\" {he} said, and hid it {spot}.", "{He} did not want to give anything to the others.", "{He} wanted to eat everything alone."],
        ["Then {helper} knocked at the door. \"I am so hungry,\" said {thehelper}.", "Soon {helper} came by. \"Do you have a little {food} for me?\" asked {thehelper}.", "In the evening {helper} sat outside, cold and hungry."],
        ["First {n} said no. But then {he} felt {sad}.", "{n} looked at {his} {food} and thought for a while.", "{n} could not sleep that night."],
        ["\"Come in,\" {he} said. \"There is enough for two.\"", "{He} opened the door and shared the {food}.", "{He} took half of the {food} and gave it away."],
        ["It tasted much better than before.", "They ate together and laughed a lot, and {n} was {feeling}.", "{Thehelper} gave {n} {aobj} to say thank you."],
    ],
    "race": [
        ["One day there was a race in the {place}.", "Every year there was a big race around the {place}.", "\"Let us have a race,\" said {helper} one day."],
        ["{n} wanted to win, because the prize was {aobj}.", "The winner was to get {aobj}.", "{n} was not very fast, but {he} wanted to try."],
        ["One, two, three, and off they ran!", "The bell rang, and everybody ran as fast as they could.", "At first {n} was the last of all."],
        ["Suddenly {n} saw that {helper} had fallen {spot}.", "Half way {helper} could not go on. \"My foot hurts,\" said {thehelper}.", "Then {he} heard a cry. {Helper} was stuck {spot}."],
        ["{n} stopped and helped {thehelper} to stand up.", "{n} did not think of the prize. {He} ran back to help.", "\"Hold on to me,\" said {n}, and they walked on together."],
        ["They came in last, but everybody clapped, and {n} got the {obj} after all.", "They did not win, but {n} was {feeling}.", "\"You are the real winner,\" said {thehelper}."],
    ],
    "build": [
        ["{n} wanted to build [a house|a boat|a bridge|a tower|a tree house] {spot}.", "\"I will build [a boat|a small house|a raft|a swing],\" said {n} one morning.", "{n} needed a bridge over the river."],
        ["{He} collected wood and stones all day.", "{He} took a hammer and {his} {obj} and began.", "{He} worked from morning to night."],
        ["But the wind came and blew it all down.", "But in the night it fell down.", "But it was too heavy for one alone."],
        ["{n} was {sad}. Then {helper} came and said, \"Two can do more than one.\"", "{Helper} watched and said, \"You need stronger wood. I will help you.\"", "\"May I help?\" asked {helper}."],
        ["So they worked together for three days.", "They started again, and this time they did it slowly and well.", "One held the wood, and the other hit the nails."],
        ["At last it was ready, and it was strong and beautiful.", "When it was done, they hung {aobj} on it.", "It did not fall down any more, and {n} was {feeling}."],
    ],
    "gift": [
        ["It was the birthday of {helper}.", "Tomorrow was a feast in the {place}, and {n} had no gift for {helper}.", "{n} wanted to give {helper} something nice."],
        ["{n} had no money at all.", "But what could it be? {n} thought and thought.", "{He} looked in every shop, but everything cost too much."],
        ["Then {he} saw {aobj} {spot}.", "{He} remembered {his} old {obj}.", "At home {he} found {aobj} in a box."],
        ["It was dirty, so {he} washed it and painted it {colour}.", "{He} repaired it, cleaned it and put a {colour} ribbon around it.", "{He} worked on it all night until it was like new."],
        ["When {thehelper} saw it, {thehelper} cried for joy.", "\"Is that for me?\" asked {thehelper}. \"It is the best gift of all.\"", "{Thehelper} opened the gift and could not say a word."],
        ["{n} was {feeling}.", "Then they ate {food} and sang songs.", "\"You made it yourself,\" said {thehelper}. \"That is why I love it.\""],
    ],
    "secret": [
        ["One night {n} heard a strange sound {spot}.", "For three nights {n} saw a light {spot}.", "Every evening something moved {spot}."],
        ["\"Is it a ghost?\" {he} asked.", "{He} was a little {sad}, but also curious.", "Everybody in the {place} said that one must not go there."],
        ["{n} took {his} {obj} and went out on quiet feet.", "So {he} waited until it was dark and looked.", "{He} counted to three and went closer."],
        ["It was only {helper}! \"Please do not tell anyone,\" said {thehelper}. \"I am [learning to dance|learning to sing|building a surprise|looking at the stars|painting a picture].\"", "There sat {helper} with {aobj}. \"I could not sleep,\" said {thehelper}."],
        ["{n} laughed. \"May I stay with you?\" {he} asked.", "\"I was afraid of nothing,\" said {n}, and both laughed.", "{n} sat down, and they talked until morning."],
        ["Now they shared a secret.", "{n} kept the secret, and {thehelper} was {feeling}.", "After that they met there every night."],
    ],
    "rescue": [
        ["One day {n} heard somebody call for help.", "{n} was walking by the river when {he} heard a cry.", "\"Help! Help!\" somebody called {spot}."],
        ["{Helper} had fallen into a deep hole.", "{Helper} sat on a branch and could not come down.", "{Helper} was in the water and could not swim."],
        ["{n} was too small to pull {thehelper} out.", "What could {he} do? There was nobody else around.", "{n} was {sad}, but {he} had to be quick."],
        ["Then {he} remembered {his} {obj}.", "{He} found {aobj} and a long rope.", "\"I have an idea,\" {he} said, and ran to fetch {aobj}."],
        ["With the {obj} {he} could help, and {thehelper} was safe.", "{He} used the {obj}, pulled and pulled, and at last it worked.", "It took a long time, but then {thehelper} was free."],
        ["\"You saved me,\" said {thehelper}. \"I will never forget it.\"", "\"How brave you are!\" said {thehelper}.", "{Thehelper} thanked {him} and gave {him} {food}."],
    ],
}
ASK = [
    "[Tell|Please tell|Read] me a [short |little |nice |new |]story[, please|].", "Can you tell me a [short |little |]story?", "I [want|would like] [to hear |]a story[, please|].", "Make up a [short |]story.", "Write a [short |little |nice |]story.", "Once upon a time...", "Do you know a [good |nice |]story?", "A story, please!",
    "I cannot sleep. Tell me a story.", "story please", "Invent a story.", "Tell a story [for|to] [a child|my son|my daughter|the children].", "Could you [write|tell|invent] a [small |short |]story[ for me|]?", "Give me a story.", "Tell me a bedtime story.", "[I am bored|It is raining]. Tell me [a story|something].",
]
ASK_ABOUT = [
    "[Tell|Please tell] me a [short |little |]story about {topic}.", "[Write|Invent|Make up] a [short |little |]story about {topic}.", "Can you tell me a story about {topic}?", "I [want|would like] a story about {topic}.", "A story about {topic}, please.", "story about {topic}", "Do you know a story about {topic}?",
    "Is there a story about {topic}?", "Tell me about {topic} in a story.", "Please write something about {topic}.", "Could you invent a tale about {topic}?", "Tell me a tale about {topic}.", "My child wants a story about {topic}.",
]
MORE = ["[Tell me another|Another one|Another story|One more], please.", "Tell me another story.", "Another one!", "[More|Again], please.", "One more story?", "Do you know another one?", "And another story?", "That was nice. Tell me one more."]


def topic(rng: random.Random) -> dict[str, str]:
    """The requested topic of a story: a hero, a thing, a name, a place, or two of them."""
    hero, thing, place = pick(parts.ANIMALS, rng), pick(parts.OBJECTS, rng), pick(parts.PLACES, rng)
    girl = rng.random() < 0.5
    name = pick(parts.GIRLS if girl else parts.BOYS, rng)
    child = {"hero": "girl" if girl else "boy", "name": name}
    kind = rng.randrange(8)
    return [
        {"hero": hero, "topic": article(hero)}, {"hero": hero, "thing": thing, "topic": f"{article(hero)} and {article(thing)}"}, {"thing": thing, "topic": article(thing)}, {**child, "topic": f"a {child['hero']} named {name}"},
        {"hero": hero, "place": place, "topic": f"{article(hero)} in {article(place)}"}, {**child, "thing": thing, "topic": f"{name} and {article(thing)}"}, {"hero": hero, "thing": thing, "topic": f"{article(hero)} who finds {article(thing)}"}, {"place": place, "topic": article(place)},
    ][kind]


def story(rng: random.Random, wanted: dict[str, str] = {}) -> str:
    name, hero, girl = _hero(rng, wanted)
    place, helper = wanted.get("place") or pick(parts.PLACES, rng), pick(parts.HELPERS, rng)
    while hero in helper.split():
        helper = pick(parts.HELPERS, rng)
    thing, look = wanted.get("thing") or pick(parts.OBJECTS, rng), pick(parts.ADJECTIVES, rng)
    known = "the " + helper.split(" ", 1)[1]
    he, him, his = ("she", "her", "her") if girl else ("he", "him", "his")
    slots = {
        "n": name, "aw": article(f"{pick(parts.TEMPERS, rng)} {hero}"), "place": place, "aplace": article(f"{pick(['small', 'quiet', 'big', 'green', 'old', 'lonely'], rng)} {place}"), "obj": thing, "aobj": article(f"{look} {thing}"), "colour": pick(["red", "blue", "green", "yellow", "white"], rng),
        "helper": helper, "Helper": capital(helper), "thehelper": known, "Thehelper": capital(known), "food": pick(parts.FOODS, rng), "spot": pick(parts.SPOTS, rng), "sad": pick(parts.SAD, rng), "feeling": pick(parts.FEELINGS, rng),
        "he": he, "him": him, "his": his, "He": capital(he), "Him": capital(him), "His": capital(his),
    }
    plot = pick(list(PLOTS.values()), rng)
    scenes = [parts.OPENINGS, parts.HOMES] + ([parts.WEATHER] if rng.random() < 0.4 else []) + plot
    if "thing" in wanted and not any("{obj}" in line or "{aobj}" in line for line in plot[0]):
        scenes.insert(2, ["{He} had {aobj}.", "{He} always carried {aobj}.", "In {his} bag {he} had {aobj}."])
    sentences = [expand(pick(scene, rng), rng, slots) for scene in scenes]
    closing = [expand(pick(parts.MORALS, rng), rng, slots), expand(pick(parts.ENDINGS, rng), rng, {**slots, "helper": known})]
    return " ".join(sentence for sentence in sentences + closing if sentence)


def _hero(rng: random.Random, wanted: dict[str, str]) -> tuple[str, str, bool]:
    hero = wanted.get("hero") or (pick(parts.ANIMALS, rng) if rng.random() < 0.65 else pick(["boy", "girl"], rng))
    girl = hero == "girl" or (hero != "boy" and rng.random() < 0.5)
    options = parts.GIRLS if hero == "girl" else parts.BOYS if hero == "boy" else parts.PET_NAMES + (parts.GIRLS if girl else parts.BOYS)
    return wanted.get("name") or pick(options, rng), hero, girl


def request(rng: random.Random) -> tuple[str, str]:
    """A request for a story, and the story."""
    if rng.random() < 0.45:
        return capital(expand(pick(ASK, rng), rng)), story(rng)
    wanted = topic(rng)
    return capital(expand(pick(ASK_ABOUT, rng), rng, wanted)), story(rng, wanted)
