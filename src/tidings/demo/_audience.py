"""Simulated people: who they are, and what each does with the mail. All of it follows from a number: the truth is known."""

import random
from dataclasses import dataclass
from typing import Any

_FIRST = (
    "Ada",
    "Björk",
    "Chidi",
    "Dara",
    "Elif",
    "Fatima",
    "Grace",
    "Hiroshi",
    "Inês",
    "Jürgen",
    "Kwame",
    "Łucja",
    "Mei",
    "Noor",
    "Olga",
    "Priya",
    "Quinn",
    "Rosa",
    "Søren",
    "Tariq",
)
_LAST = (
    "Adeyemi",
    "Brown",
    "Çelik",
    "Dubois",
    "Evans",
    "Fernández",
    "García",
    "Hoffmann",
    "Ivanova",
    "Jansen",
    "Kim",
    "López",
    "Müller",
    "Nguyen",
    "O'Neill",
    "Petrov",
)
_CITIES = (
    "Lisbon",
    "Kraków",
    "Nairobi",
    "Osaka",
    "Toronto",
    "Reykjavík",
    "Lagos",
    "Montréal",
    "Zürich",
    "Austin",
)
_PLANS = ("free", "basic", "gold")

PEOPLE = {
    "phone": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "desktop": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "gmail": "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
}
MACHINES = {"privacy proxy": "Mozilla/5.0", "scanner": "python-requests/2.32.3"}


@dataclass(frozen=True, slots=True)
class Person:
    """One simulated recipient. `opens` etc. are what they will do; `machine` what software does on their behalf."""

    number: int
    bounces: bool
    opens: bool
    clicks: int
    unsubscribes: bool
    agent: str
    machine: str

    @property
    def email(self) -> str:
        """The catcher refuses local parts that begin with `bounce`."""
        return f"{'bounce' if self.bounces else 'reader'}{self.number}@example.com"

    def contact(self) -> dict[str, Any]:
        """As the import takes it."""
        dice = random.Random(f"contact {self.number}")  # noqa: S311 - a simulation
        return {
            "email": self.email,
            "first_name": dice.choice(_FIRST),
            "last_name": dice.choice(_LAST),
            "language": dice.choice(("en", "de", "pt")),
            "tags": [tag for tag, chance in (("vip", 0.1), ("beta", 0.05)) if dice.random() < chance],
            "attributes": {
                "city": dice.choice(_CITIES),
                "plan": dice.choice(_PLANS),
                "points": dice.randrange(5000),
                "member_since": dice.randrange(2012, 2027),
            },
        }


def person(number: int) -> Person:
    """The person with this number; always the same."""
    dice = random.Random(f"person {number}")  # noqa: S311 - a simulation
    bounces = dice.random() < 0.02
    opens = dice.random() < 0.38
    clicks = dice.choice((1, 1, 1, 2, 3)) if opens and dice.random() < 0.25 else 0
    unsubscribes = dice.random() < 0.008
    agent = dice.choice(tuple(PEOPLE))
    chance = dice.random()
    machine = "privacy proxy" if chance < 0.12 else "scanner" if chance < 0.16 else ""
    return Person(number, bounces, opens, clicks, unsubscribes, agent, machine)


def number_of(email: str) -> int:
    """The person's number in an address of `Person.email`."""
    return int("".join(character for character in email.partition("@")[0] if character.isdigit()))
