"""The phrases that `text` counts. At most 100 in all: see `Phrases`."""

from __future__ import annotations

LEXICONS: dict[str, tuple[str, ...]] = {
    "hedging": (
        "may", "might", "maybe", "perhaps", "possibly", "probably", "presumably", "arguably", "seems", "seem",
        "appears to", "i think", "i believe", "i guess", "not sure", "not certain", "it depends", "depends on",
        "in general", "generally", "typically", "tends to", "tend to", "somewhat", "to some extent", "likely",
        "unlikely", "could be", "as far as i know",
    ),
    "certainty": (
        "definitely", "certainly", "absolutely", "undoubtedly", "without a doubt", "without question", "clearly",
        "obviously", "of course", "guaranteed", "unquestionably", "no doubt", "surely", "for sure", "always", "never",
    ),
    "apology": (
        "sorry", "apologize", "apologise", "apologies", "forgive me", "pardon me", "my mistake", "my bad",
    ),
    # Sympathy is not an apology: the longer phrase takes the place of "sorry".
    "sympathy": ("sorry to hear", "sorry for your loss", "sorry that you", "sorry you're", "sorry you are"),
    "worn": (
        "delve", "delves", "delving", "tapestry", "testament to", "important to note", "worth noting",
        "important to remember", "fast-paced world", "ever-evolving", "ever-changing", "game-changer",
        "in the realm of", "navigate the complexities", "embark on", "unleash", "seamless", "seamlessly",
        "bustling", "plays a crucial", "plays a vital", "pivotal", "multifaceted", "nestled", "look no further",
        "in conclusion", "holistic", "underscores", "treasure trove",
        "harness the power", "kaleidoscope", "elevate your", "let's dive", "dive into",
        "in today's world", "furthermore", "moreover", "rich history", "as an ai", "it is crucial",
    ),
}  # fmt: skip
