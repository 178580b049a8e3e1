"""The people, animals, places and things of the stories."""

BOYS = "Tom Ben Leo Max Sam Finn Otto Paul Jonas Emil Noah Oscar Hugo Felix Anton Karl Milo Theo Luca Adam".split()
GIRLS = "Anna Mia Ida Nora Lena Ruth Ella Zoe Lily Clara Emma Rosa Greta Lucy Maya Alma Vera Tina Elsa Nina".split()
PET_NAMES = "Pip Momo Bruno Coco Fips Nilo Tapsi Lumi Kiko Bella Rocky Pepper Biscuit Hazel Pebble Rusty Muffin Willow Olli Juno".split()
ANIMALS = "fox mouse rabbit bear hedgehog squirrel duck frog owl cat dog goat sheep pig donkey horse lion elephant monkey penguin goose mole beaver crow deer wolf turtle snail bee robin".split()
HELPERS = ["an old owl", "a wise turtle", "a friendly crow", "a big bear", "a small snail", "an old woman", "a fisherman", "a baker", "a kind farmer", "a quick squirrel", "a shy deer", "a tired donkey", "a grey goose", "a gardener", "a little bee", "a sleepy cat", "a brave mouse", "a clever fox", "a postman", "a white horse"]
PLACES = ["forest", "village", "garden", "meadow", "farm", "town", "valley", "harbour", "castle", "mountain", "island", "park", "orchard", "mill", "beach"]
SPOTS = ["under a stone", "behind the old oak", "in the tall grass", "by the river", "near the bridge", "at the top of the hill", "in an empty nest", "under the stairs", "next to the well", "in a hollow tree", "behind the barn", "at the edge of the pond", "in the deep snow", "between two rocks", "beside the gate"]
OBJECTS = ["lamp", "ball", "key", "kite", "boat", "drum", "hat", "book", "bell", "coin", "box", "umbrella", "map", "basket", "scarf", "mirror", "whistle", "lantern", "cup", "ring", "feather", "shell", "clock", "flute", "wagon", "blanket", "pencil", "button", "stone", "seed"]
ADJECTIVES = ["red", "blue", "green", "yellow", "golden", "silver", "old", "new", "small", "shiny", "round", "wooden", "pretty", "strange", "broken", "white"]
TEMPERS = ["little", "small", "brave", "shy", "clever", "curious", "kind", "lazy", "hungry", "cheerful", "young", "quiet", "lonely", "proud", "careful", "funny"]
FOODS = ["apples", "bread", "soup", "honey", "nuts", "cake", "carrots", "berries", "cheese", "pears", "pancakes", "plums", "cookies", "cherries"]
WEATHER = ["It was a sunny morning.", "It was a cold winter day.", "The wind was strong that day.", "It rained all day.", "The snow lay deep.", "The sky was blue and the birds sang.", "It was a warm summer evening.", "Fog lay over the fields.", "The leaves were falling.", "The first flowers were out."]
OPENINGS = ["Once upon a time there was {aw} named {n}.", "There was once {aw} called {n}.", "{n} was {aw}.", "Long ago there lived {aw} whose name was {n}.", "In {aplace} lived {aw} named {n}.", "One day {aw} named {n} woke up early.", "This is the story of {n}, {aw}.", "Near {aplace} lived {aw} called {n}."]
HOMES = ["{He} lived in {aplace}.", "{His} home was {aplace}.", "{He} lived with {his} family in {aplace}.", "Everybody in the {place} knew {n}.", "{He} loved the {place} where {he} lived.", ""]
ENDINGS = ["[From that day on|After that], {n} and {helper} were friends.", "That night {n} slept very well.", "And {n} was happy.", "Then {he} went home and ate {food}.", "In the evening they all ate {food} together.", "{n} never forgot that day.", "And if you go to the {place}, you may still see {n} there.", "Everybody in the {place} was glad.", "{n} smiled all the way home.", "{He} told the story to everyone in the {place}.", "The moon came up, and all was well.", "{n} laughed, and {helper} laughed too."]
MORALS = ["{He} had learned that it is good to share.", "{He} had learned to ask for help.", "{He} knew now that small ones can do big things.", "So {he} learned to be patient.", "Since then {n} has never been afraid of the dark.", "{He} understood that friends are worth more than gold.", "Now {he} knew that telling the truth is best.", "", "", "", ""]
FEELINGS = ["happy", "proud", "glad", "very happy", "full of joy"]
SAD = ["sad", "worried", "afraid", "lonely", "tired", "upset"]
