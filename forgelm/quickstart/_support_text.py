"""The phrases of the customer-support corpus: a coffee shop that does not exist."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CLOSINGS", "DETAILS", "GREETINGS", "OPENINGS", "SIGNATURES", "TOPICS", "WORDS", "Topic"]


@dataclass(frozen=True)
class Topic:
    """One thing customers write about: problem and answer in pairs, and what fits all of them."""

    cases: tuple[tuple[str, str], ...]
    wishes: tuple[str, ...]
    steps: tuple[str, ...]


TOPICS = (
    Topic(
        cases=(
            (
                "the {product} I ordered {days} days ago is still not here.",
                "I have traced your parcel: it is at the depot in {city}.",
            ),
            (
                "tracking for order {order} has not moved since {weekday}.",
                "The courier scanned order {order} in {city} and then lost its label.",
            ),
            (
                "the parcel with my {product} was marked delivered, but our porch is empty.",
                "The driver left it at a pick-up point in {city} and forgot the note.",
            ),
            (
                "I was promised delivery on {weekday} and nobody came.",
                "I am sorry about the wait. The van broke down near {city} on the way to you.",
            ),
        ),
        wishes=(
            "Where is it now?",
            "Could you find out what the courier did?",
            "Should I wait longer or will you send another one?",
        ),
        steps=(
            "It goes out again in {days} days, and you will get a message one hour before.",
            "If it is not with you within {days} days, reply here and we send a new one.",
            "A replacement leaves our warehouse tomorrow; keep both parcels if both arrive.",
        ),
    ),
    Topic(
        cases=(
            (
                "my {product} arrived with a crack along the side.",
                "That should not happen, and we replace what breaks on the road.",
            ),
            (
                "the {product} stopped working after {days} days.",
                "After {days} days the two-year warranty certainly covers it.",
            ),
            (
                "there is a part missing from the box of the {product}.",
                "A few boxes of that batch were packed in a hurry in {city}.",
            ),
            (
                "the lid of the {product} does not close, however hard I press.",
                "Please do not press harder: the seal sits the wrong way round.",
            ),
        ),
        wishes=(
            "Can you put that right?",
            "I would like a new one, please.",
            "What do you need from me for the warranty?",
        ),
        steps=(
            "Send us one photo and we post a new {product} the same day.",
            "Please use the prepaid label I have just sent; it takes about {days} days.",
            "What you need is on its way in a small envelope and fits without tools.",
        ),
    ),
    Topic(
        cases=(
            (
                "I was charged twice for order {order}.",
                "One of the two payments is only a reservation and lapses by itself.",
            ),
            (
                "the refund for my {product} has not reached my account.",
                "Our books show that we sent {amount} euros for the {product} on {weekday}.",
            ),
            (
                "the invoice for {month} shows {amount} euros more than I agreed to.",
                "The {amount} euros are an express fee that should not be on the bill.",
            ),
            (
                "my discount code was accepted, but the total stayed the same.",
                "The code had run out at midnight; the page should have told you so.",
            ),
        ),
        wishes=(
            "Please correct that.",
            "When do I get the money back?",
            "Could somebody in accounting check this?",
        ),
        steps=(
            "Banks need up to {days} working days to show the correction.",
            "I have credited {amount} euros, and a new invoice is in your account.",
            "Nothing to do on your side; it will be settled before the end of {month}.",
        ),
    ),
    Topic(
        cases=(
            (
                "I cannot log in since you changed the website.",
                "The new website needs one fresh login on each device.",
            ),
            (
                "the link to reset my password expired before I could use it.",
                "Old links stop working as soon as a newer one is asked for.",
            ),
            (
                "my account says that it is locked.",
                "After {days} wrong attempts an account rests for an hour; I have lifted that.",
            ),
            (
                "the app forgets my {product} whenever I close it.",
                "The app keeps the {product} in your basket only while you are signed in.",
            ),
        ),
        wishes=(
            "How do I get back in?",
            "Can you help?",
            "Is there another way to place my order?",
        ),
        steps=(
            "Choose 'Forgotten password', open the latest message, and pick a new password.",
            "Clear the stored pages of your browser, then sign in once more.",
            "If that fails you can still order by phone on {weekday} morning.",
        ),
    ),
    Topic(
        cases=(
            (
                "I want to pause my coffee subscription while I am away in {month}.",
                "Of course. I have set a pause for the whole of {month}.",
            ),
            (
                "every box of the subscription is bigger than what we drink.",
                "There is a smaller box with half the coffee, for {amount} euros a month.",
            ),
            (
                "please cancel my monthly delivery of {beans} beans.",
                "Your subscription to {beans} ends with this month, without a fee.",
            ),
            (
                "I would like {beans} instead of the usual roast from now on.",
                "Good choice: your next box is set to {beans}.",
            ),
        ),
        wishes=(
            "Can I do that myself next time?",
            "Does it cost anything?",
            "From which delivery on does the change count?",
        ),
        steps=(
            "You can change all of this yourself under 'My boxes'.",
            "The change counts from the box that leaves us on {weekday}.",
            "The box packed this week still comes; you may send it back unopened.",
        ),
    ),
    Topic(
        cases=(
            (
                "I moved from {city} and order {order} still has the old street on it.",
                "Order {order} has not left yet, so I changed the street for you.",
            ),
            (
                "the {product} is a present and should go to my sister in {city}.",
                "What a nice present. I have put your sister's address on the parcel.",
            ),
            (
                "I picked the wrong pick-up point for my {product}.",
                "It is already on the road, but the courier can redirect it once.",
            ),
            (
                "the courier says that our house number does not exist.",
                "New houses are often missing from the courier's map, so I sent them a plan.",
            ),
        ),
        wishes=(
            "Can it still be changed?",
            "Would you pass that on?",
            "Will it arrive in time?",
        ),
        steps=(
            "Please check the address in the message you are about to get.",
            "This takes {days} more days; sorry about that.",
            "The warehouse knows about it and will call before the van leaves.",
        ),
    ),
    Topic(
        cases=(
            (
                "the coffee from my new {product} tastes sour.",
                "Sour coffee means that the water ran through too fast.",
            ),
            (
                "the {product} drips long after the cup is full.",
                "A few drops are normal while the pressure falls.",
            ),
            (
                "I do not know how often to clean the {product}.",
                "With soft water every {days} weeks is enough, with hard water twice as often.",
            ),
            (
                "there is a white crust inside my {product}.",
                "That is lime from the water: harmless, but it spoils the taste of {beans}.",
            ),
        ),
        wishes=(
            "What am I doing wrong?",
            "Is that normal?",
            "Do you have a trick?",
        ),
        steps=(
            "Grind one step finer and use {days} grams more of the {beans}.",
            "Rinse it under warm water, dry it, and try again.",
            "Take a spoon of citric acid in warm water and leave it for {amount} minutes.",
        ),
    ),
    Topic(
        cases=(
            (
                "is the {product} back in stock this {month}?",
                "Yes, and we keep one {product} aside for you until {weekday}.",
            ),
            (
                "which {product} would you recommend for an office with {amount} people?",
                "For {amount} people take the larger {product}; it lasts for years.",
            ),
            (
                "do your {beans} beans contain anything but coffee?",
                "Our {beans} is pure coffee, roasted in {city} in small batches.",
            ),
            (
                "is your shop in {city} open on {weekday}?",
                "Yes, on {weekday} we are in {city} from nine to six.",
            ),
        ),
        wishes=(
            "I would like to buy two.",
            "We are about to decide.",
            "A short answer is enough.",
        ),
        steps=(
            "Tell us your order number and we add it to the same parcel.",
            "Come by in {month}, when there is a free tasting.",
            "Samples cost {amount} euros, which we take off your first order.",
        ),
    ),
)

OPENINGS = ("Hello,", "Hi there,", "Good morning,", "Dear team,", "Hey,", "Good evening,", "Hi,")

DETAILS = (
    "This is the second time I write.",
    "I have been a customer since {year} and like your {beans}.",
    "I already looked through the questions on your page.",
    "It is rather urgent, because we have guests on {weekday}.",
    "My order number is {order}.",
    "My neighbour in {city} had the very same thing.",
    "I only noticed it on {weekday}.",
    "No hurry, I am just wondering.",
    "The rest of order {order} was perfect, by the way.",
    "Your colleague on the phone was friendly but could not help.",
)

GREETINGS = (
    "Thank you for writing to us.",
    "Hello and thanks for your patience.",
    "Thanks for letting us know.",
    "Good to hear from you, although I wish it were for a better reason.",
    "Hi, happy to help.",
    "Thank you, I have looked into it.",
)

CLOSINGS = (
    "Is there anything else I can do?",
    "Enjoy your next cup!",
    "Write back any time.",
    "We are sorry for the extra work this made.",
    "I will keep an eye on it until it is settled.",
    "Have a good {weekday}.",
)

SIGNATURES = ("Thanks!", "Best wishes!", "Many thanks in advance.", "Regards.", "Cheers!", "")

WORDS: dict[str, tuple[str, ...]] = {
    "product": (
        "espresso machine",
        "milk frother",
        "hand grinder",
        "kettle",
        "filter set",
        "thermos jug",
        "travel mug",
        "cold brew bottle",
        "moka pot",
        "coffee scale",
    ),
    "beans": ("Harbour Blend", "Night Watch decaf", "Alpine Roast", "Sunday Arabica", "Dockside"),
    "city": ("Bergen", "Lyon", "Graz", "Porto", "Gdansk", "Leeds", "Turin", "Aarhus", "Ghent"),
    "weekday": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"),
    "month": ("January", "March", "April", "June", "August", "October", "November"),
    "days": ("3", "4", "5", "6", "8", "9", "10", "12"),
    "year": ("2015", "2017", "2018", "2020", "2021", "2022"),
    "amount": ("4", "7", "12", "15", "19", "23", "38", "46"),
}
