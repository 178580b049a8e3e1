"""Facts about countries, rivers and the sky."""

from .relations import Relation, flipped, table

CAPITALS = table("""
France: Paris, Spain: Madrid, Italy: Rome, Germany: Berlin, Portugal: Lisbon, Greece: Athens, Austria: Vienna,
Poland: Warsaw, Hungary: Budapest, Sweden: Stockholm, Norway: Oslo, Finland: Helsinki, Denmark: Copenhagen,
Ireland: Dublin, England: London, Scotland: Edinburgh, Belgium: Brussels, Switzerland: Bern, Russia: Moscow,
Ukraine: Kyiv, Turkey: Ankara, Egypt: Cairo, Kenya: Nairobi, Morocco: Rabat, Japan: Tokyo, China: Beijing,
India: New Delhi, Thailand: Bangkok, Vietnam: Hanoi, Canada: Ottawa, Cuba: Havana, Peru: Lima, Chile: Santiago,
Argentina: Buenos Aires, Brazil: Brasilia, Australia: Canberra, Iceland: Reykjavik, Nepal: Kathmandu,
Croatia: Zagreb, Romania: Bucharest, Bulgaria: Sofia, Ghana: Accra""")

CONTINENTS = [(country, continent) for continent, countries in {
    "Europe": "France Spain Italy Germany Portugal Greece Austria Poland Hungary Sweden Norway Finland Denmark Ireland "
              "England Scotland Belgium Switzerland Ukraine Iceland Croatia Romania Bulgaria",
    "Africa": "Egypt Kenya Morocco Ghana", "Asia": "Japan China India Thailand Vietnam Nepal",
    "South America": "Peru Chile Argentina Brazil", "North America": "Canada Cuba",
}.items() for country in countries.split()]

LANGUAGES = table("""
France: French, Spain: Spanish, Italy: Italian, Germany: German, Portugal: Portuguese, Greece: Greek, Poland: Polish,
Hungary: Hungarian, Sweden: Swedish, Norway: Norwegian, Finland: Finnish, Denmark: Danish, England: English,
Russia: Russian, Ukraine: Ukrainian, Turkey: Turkish, Japan: Japanese, China: Chinese, Thailand: Thai,
Vietnam: Vietnamese, Brazil: Portuguese, Argentina: Spanish, Austria: German, Australia: English, Croatia: Croatian,
Romania: Romanian, Bulgaria: Bulgarian, Egypt: Arabic, Chile: Spanish, Cuba: Spanish, Iceland: Icelandic""")

SKY = table("""
the planet we live on: Earth, the star that gives us daylight: the sun, the red planet: Mars, the biggest planet: Jupiter,
the planet with the famous rings: Saturn, the planet closest to the sun: Mercury, the light that circles the Earth at night: the moon,
the coldest place at the bottom of the Earth: the South Pole, the biggest ocean: the Pacific, the highest mountain on Earth: Mount Everest,
the biggest desert of hot sand: the Sahara""")

RELATIONS = [
    Relation(
        "capital", "places", CAPITALS,
        asks=[
            "[What|Which] city is the capital [city |]of {k}?", "[What|Which] is {k}'s capital[ city|]?", "{k} has which capital[ city|]?",
            "[Where|In which city] is the government of {k}?", "What is the [main city|chief city|capital city] of {k} called?",
            "Which city do I find at the head of {k}?", "What capital does {k} have?", "[What|Which] capital belongs to {k}?",
            "I [am travelling|travel|want to travel] to the capital of {k}. [Which city is that?|What is it called?|Where am I going?]",
            "[Name|Tell me] the city that is the capital of {k}.", "{k}: capital?", "capital of {k}?", "capital {k}",
            "[I live|My aunt lives|My friend lives] in {k}. What is [its|the] capital?", "{k} is a country. What is its capital?",
            "[What's|Tell me] {k}'s capital[, please|].", "If I visit {k}, what is its capital city?", "Is there a capital in {k}? Which one?",
            "Do you know which city is the capital of {k}?", "On a map of {k}, which city is the capital?", "What do they call the capital of {k}?",
        ],
        nps=["the capital of {k}", "the capital city of {k}", "{k}'s capital", "the name of {k}'s capital", "the capital of the country {k}"],
        held=[
            "For {k}, what would the capital be?", "Which place serves as the capital of {k}?", "The country is {k}; now say its capital.",
            "I collect capitals and still miss the one for {k}.", "People from {k} call which city their capital?",
        ],
        answers=["The capital of {k} is {a}.", "{a} is the capital of {k}.", "{A}.", "It is {a}.", "The capital city of {k} is {a}.", "That is {a}.", "{k}'s capital is {a}."],
        follow=["And [of |]{k}?", "What about {k}?", "And the capital of {k}?", "{k}?", "And what is it for {k}?"],
        weight=1.6,
    ),
    Relation(
        "country", "places", flipped(CAPITALS),
        asks=[
            "[Which|What] country has {k} as its capital?", "{k} is the capital of [which|what] country?", "[What|Which] country is {k} the capital of?",
            "In [which|what] country is [the city of |]{k}?", "[Where is|Where's] {k}?", "Where do I find [the city of |]{k}?", "In which country does {k} lie?",
            "[I am|My brother is|We are] in {k}. [Which|What] country is that?", "{k} belongs to which country?", "{k} lies in which country?",
            "{k} is a city in which country?", "If I fly to {k}, in which country do I land?", "What country is {k} in?",
        ],
        nps=["the country whose capital is {k}", "the country of {k}", "the country that has {k} as its capital"],
        held=[
            "Travellers who reach {k} are inside which country?", "Of which country is {k} the capital city?",
            "The capital is {k}; now say the country.", "Somebody sent me a card from {k}. Which country did it come from?",
        ],
        answers=["{k} is in {a}.", "{k} is the capital of {a}.", "{A}.", "It is in {a}.", "That is in {a}.", "The country is {a}."],
    ),
    Relation(
        "continent", "places", CONTINENTS,
        asks=[
            "[On|In] [which|what] continent is {k}?", "[Which|What] continent is {k} [in|on|part of]?", "{k} is [on|in|part of] which continent?",
            "[To|] which continent does {k} belong?", "What continent does {k} belong to?", "{k} belongs to which continent?", "Where on the globe is the country {k}, which continent?",
            "I [want to visit|visit|am in] {k}. Which continent is that?", "[Find|Tell me|Name] the continent {k} is on.",
        ],
        nps=["the continent of {k}", "the continent that {k} is part of", "{k}'s continent", "the continent where {k} is"],
        held=["Which continent would I look at to spot {k}?", "A map shows {k}. Which continent does that map show?", "{k} counts as part of what continent?"],
        answers=["{k} is in {a}.", "{A}.", "It is in {a}.", "{k} is part of {a}.", "The continent is {a}."],
    ),
    Relation(
        "language", "places", LANGUAGES,
        asks=[
            "[What|Which] language [do people speak|do they speak|is spoken|do you hear] in {k}?", "[What|Which] language do people in {k} speak?", "In {k}, people speak which language?",
            "Which language should I learn [for|before I go to] {k}?", "What do people speak in {k}?", "How do people talk in {k}? In which language?",
            "I am going to {k}. What language [will I hear|do they speak there]?", "People in {k} speak what?", "What language does a child in {k} learn first?",
        ],
        nps=["the language of {k}", "the main language of {k}", "the language people speak in {k}", "the language spoken in {k}"],
        held=["Shopkeepers in {k} will talk to me in what language?", "Newspapers in {k} are written in which language?", "Which language is at home in {k}?"],
        answers=["People in {k} speak {a}.", "{A}.", "In {k} people speak {a}.", "The language of {k} is {a}.", "They speak {a}."],
    ),
    Relation(
        "sky", "places", SKY,
        asks=["What is {k} called?", "What do we call {k}?", "What is the name of {k}?", "Which is {k}?", "{K}: what is it?", "How is {k} named?", "Do you know the name of {k}?"],
        nps=["{k}", "the name of {k}"],
        held=["By what name do people know {k}?", "If I read about {k}, what is it that I read about?", "In a quiz they wanted the name of {k}. What is right?"],
        answers=["{K} is {a}.", "{A}.", "It is {a}.", "That is {a}.", "We call it {a}."], follow=["And {k}?", "What about {k}?"],
    ),
]
