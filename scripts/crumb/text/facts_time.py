"""Facts about the calendar, the clock and plain numbers."""

from . import situations, wide
from .relations import Relation, table

MONTHS = "January February March April May June July August September October November December".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
SEASONS = "spring summer autumn winter".split()
ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth".split()
ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
NUMBER_WORDS = ONES + [ten + (f"-{ONES[one]}" if one else "") for ten in TENS for one in range(10)] + ["one hundred"]


def following(cycle: list[str]) -> list[tuple[str, str]]:
    return [(cycle[i], cycle[(i + 1) % len(cycle)]) for i in range(len(cycle))]


def preceding(cycle: list[str]) -> list[tuple[str, str]]:
    return [(b, a) for a, b in following(cycle)]


SEASON_OF = [(MONTHS[i], SEASONS[((i + 10) % 12) // 3]) for i in range(12)]
MONTH_DAYS = [(month, "28" if month == "February" else "30" if month in ("April", "June", "September", "November") else "31") for month in MONTHS]
UNITS = table("""
days in a week: seven, months in a year: twelve, hours in a day: twenty-four, minutes in an hour: sixty, seconds in a minute: sixty, seasons in a year: four, fingers on one hand: five,
toes on both feet: ten, wheels on a bicycle: two, wheels on a car: four, eyes on a face: two, letters in the alphabet: twenty-six, eggs in a dozen: twelve, weeks in a year: fifty-two,
legs on a chair: four, wings on a bird: two, strings on a violin: four, years in a century: one hundred, cents in a euro: one hundred, planets around the sun: eight, colours in the rainbow: seven,
players in a football team: eleven, arms on an octopus: eight, sides on a dice: six""")
DAYTIMES = table("eat breakfast: morning, go to bed: night, eat lunch: noon, watch the sunset: evening, wake up: morning, see the stars: night, come home from school: afternoon, hear the first birds: morning, sleep: night")
SEASON_SIGNS = table("""
snow falls: winter, the leaves turn red and fall: autumn, the flowers begin to bloom: spring, it is hottest: summer, people build snowmen: winter, birds build their nests: spring, children swim in the lake: summer,
farmers pick apples and pumpkins: autumn, the days are shortest: winter, the days are longest: summer, people skate on the ice: winter, the trees get new leaves: spring""")


def _after(name: str, noun: str, pairs: list[tuple[str, str]], weight: float = 1.0) -> Relation:
    return Relation(
        name, "calendar and order", pairs,
        asks=[
            f"[What|Which {noun}] comes [right |directly |]after {{k}}?", f"What is the {noun} after {{k}}?", f"[What|Which] {noun} follows {{k}}?", "After {k} comes [what|which one]?", f"What is the next {noun} after {{k}}?",
            f"{{K}} is [over|gone]. What {noun} is next?", "{K}, and then?", f"It is {{k}} now. Which {noun} will be next?", f"Which {noun} is next when {{k}} ends?", "What follows {k}?", "What do we have after {k}?",
            *(ask.replace("{noun}", noun) for ask in situations.AFTER),
        ],
        nps=[f"the {noun} after {{k}}", f"the {noun} that comes after {{k}}", f"the {noun} that follows {{k}}", f"the next {noun} after {{k}}"],
        held=[f"Once {{k}} has passed, which {noun} begins?", f"Behind {{k}} there waits which {noun}?", f"Which {noun} takes over from {{k}}?"],
        answers=[f"The {noun} after {{k}} is {{a}}.", "After {k} comes {a}.", "{A}.", "{A} comes after {k}.", "It is {a}."],
        follow=["And after {k}?", "And then after {k}?", "What about {k}?"], weight=weight,
        wide=[ask.replace("{noun}", noun) for ask in wide.AFTER],
    )


def _before(name: str, noun: str, pairs: list[tuple[str, str]], weight: float = 1.0) -> Relation:
    return Relation(
        name, "calendar and order", pairs,
        asks=[
            f"[What|Which {noun}] comes [right |directly |]before {{k}}?", f"What is the {noun} before {{k}}?", f"Which {noun} was before {{k}}?", "Before {k} comes [what|which one]?", f"{{K}} follows which {noun}?",
            f"It is {{k}} now. Which {noun} was it before?", f"What was the {noun} just before {{k}}?", "{K} comes after [what|which one]?", f"Which {noun} ends when {{k}} begins?", "What do we have before {k}?",
            *(ask.replace("{noun}", noun) for ask in situations.BEFORE),
        ],
        nps=[f"the {noun} before {{k}}", f"the {noun} that comes before {{k}}", f"the {noun} just before {{k}}"],
        held=[f"{{K}} has just begun; which {noun} came to its end?", f"Going backwards from {{k}}, on which {noun} do I land?", f"Which {noun} makes way for {{k}}?"],
        answers=[f"The {noun} before {{k}} is {{a}}.", "Before {k} comes {a}.", "{A}.", "{A} comes before {k}.", "It is {a}."],
        follow=["And before {k}?", "What about before {k}?"], weight=weight,
        wide=[ask.replace("{noun}", noun) for ask in wide.BEFORE],
    )


def _position(name: str, noun: str, whole: str, cycle: list[str]) -> Relation:
    return Relation(
        name, "calendar and order", list(zip(ORDINALS, cycle)),
        asks=[f"[What|Which] is the {{k}} {noun} of {whole}?", f"Which {noun} is the {{k}} one?", f"Which {noun} is number {{k}}, in order?", f"What {noun} comes {{k}} in {whole}?", f"The {{k}} {noun} of {whole} is what?", f"In {whole}, which {noun} is {{k}}?",
              *(ask.replace("{noun}", noun).replace("{whole}", whole) for ask in situations.POSITION)],
        nps=[f"the {{k}} {noun} of {whole}", f"the {{k}} {noun}"],
        held=[f"Counting the {noun}s of {whole}, which is the {{k}}?", f"Which {noun} takes the {{k}} place?", f"Put every {noun} of {whole} in order and read out the {{k}}."],
        answers=[f"The {{k}} {noun} of {whole} is {{a}}.", "{A}.", "It is {a}.", f"{{A}} is the {{k}} {noun}."], follow=["And the {k}?", "And the {k} one?"], weight=0.7,
        wide=[ask.replace("{noun}", noun).replace("{whole}", whole) for ask in wide.POSITION],
    )


RELATIONS = [
    _after("next month", "month", following(MONTHS)), _before("month before", "month", preceding(MONTHS)),
    _after("next day", "day", following(DAYS)), _before("day before", "day", preceding(DAYS)),
    _after("next season", "season", following(SEASONS), 0.5), _before("season before", "season", preceding(SEASONS), 0.5),
    _after("next number", "number", [(str(n), str(n + 1)) for n in range(100)], 0.8), _before("number before", "number", [(str(n + 1), str(n)) for n in range(100)], 0.8),
    _position("nth month", "month", "the year", MONTHS), _position("nth day", "day", "the week", DAYS),
    Relation(
        "season of month", "calendar and order", SEASON_OF,
        asks=["[Which|What] season is {k} in?", "In which season is {k}?", "{K} is in which season?", "What season do we have in {k}?", "Which season is it in {k}?", "It is {k}. What season is it?", "To which season does {k} belong?", "My birthday is in {k}. Which season is that?"],
        nps=["the season of {k}", "the season in {k}", "the season that {k} belongs to"],
        held=["The calendar shows {k}; which part of the year, as a season, are we living in?", "Which of the four seasons holds {k}?", "When it is {k} in Europe, what season would you feel outside?"],
        answers=["{K} is in {a}.", "{A}.", "It is {a}.", "In {k} it is {a}."], follow=["And {k}?", "What about {k}?", "And in {k}?"],
    ),
    Relation(
        "days of month", "calendar and order", MONTH_DAYS,
        asks=["How many days does {k} have?", "How many days are in {k}?", "How long is {k} in days?", "{K} has how many days?", "What is the number of days in {k}?", "How many days are there in {k}?", "In {k}, how many days do we have?"],
        nps=["the number of days in {k}", "how many days {k} has"],
        held=["On the calendar page for {k}, how many days are printed?", "{K} lasts how many days?", "From the first to the last, {k} counts how many days?"],
        answers=["{K} has {a} days.", "{A} days.", "It has {a} days.", "There are {a} days in {k}."], brief="{a}.", follow=["And {k}?", "What about {k}?"], weight=0.8,
    ),
    Relation(
        "how many", "calendar and order", UNITS,
        asks=["How many {k}?", "How many {k} are there?", "What is the number of {k}?", "Tell me how many {k} there are.", "Do you know how many {k} there are?", "Count: how many {k}?", "There are how many {k}?", "I want to know how many {k} there are."],
        nps=["the number of {k}", "how many {k} there are"],
        held=["If I tally up the {k}, where do I stop?", "What figure do you give for the {k}?", "The {k}: give me the total."],
        answers=["There are {a} {k}.", "{A}.", "There are {a}.", "The number of {k} is {a}."], follow=["And {k}?", "And how many {k}?", "What about {k}?"],
    ),
    Relation(
        "number word", "calendar and order", [(str(n), NUMBER_WORDS[n]) for n in range(101)],
        asks=["How do you write {k} in words?", "What is {k} in words?", "Write {k} as a word.", "Write the number {k} in letters.", "{k} in words?", "How do you spell the number {k}?", "What is the word for {k}?", "Say the number {k} in words."],
        nps=["the word for the number {k}", "the number {k} in words"],
        held=["On a cheque, the figure {k} would be written out how?", "Please convert {k} from digits to letters.", "{k} spelled out is what?"],
        answers=["{k} in words is {a}.", "{A}.", "{k} is {a}.", "You write {a}."], follow=["And {k}?"], weight=0.8,
    ),
    Relation(
        "number digits", "calendar and order", [(NUMBER_WORDS[n], str(n)) for n in range(101)],
        asks=["How do you write {k} in digits?", "What is {k} as a number?", "Write {k} with digits.", "Write {k} as a number.", "{K} in digits?", "What are the digits of {k}?", "Turn the word {k} into a number.", "Which number is {k}?"],
        nps=["the number {k} in digits", "{k} written as a number"],
        held=["How would a calculator show {k}?", "Please convert {k} from letters to digits.", "The page says {k}; which figure is that?"],
        answers=["{K} is {a}.", "{a}.", "It is {a}.", "In digits {k} is {a}."], brief="{a}.", follow=["And {k}?"], weight=0.8,
    ),
    Relation(
        "time of day", "calendar and order", DAYTIMES,
        asks=["When do we {k}?", "At what time of day do people {k}?", "What time of day is it when we {k}?", "When do people usually {k}?", "In which part of the day do you {k}?", "We {k} at which time of day?"],
        nps=["the time of day when we {k}", "the part of the day when people {k}"],
        held=["Which hours of the day are made to {k}: morning, noon, afternoon, evening or night?", "If somebody is about to {k}, what part of the day is it?"],
        answers=["People usually {k} at this time of day: {a}.", "{A}.", "It is the {a}.", "That is in this part of the day: the {a}."], follow=["And when do we {k}?"], weight=0.6,
    ),
    Relation(
        "season sign", "calendar and order", SEASON_SIGNS,
        asks=["In which season is it that {k}?", "When is it that {k}? Name the season.", "What season is it when {k}?", "In what season do we see that {k}?", "Which season is it if {k}?", "Look, {k}! What season is it?", "{K}. Which season is this?"],
        nps=["the season when {k}", "the season in which {k}"],
        held=["You can tell the season because {k}: which one is it?", "Everybody says that {k}; so which of the four seasons has come?"],
        answers=["It is {a}.", "{A}.", "In {a}.", "That is {a}."], follow=["And when {k}?"], weight=0.7,
    ),
]
