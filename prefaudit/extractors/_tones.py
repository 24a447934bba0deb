r"""The style probes: cues that bring a sentence up, and patterns that say what it is; docs/extractors/style.md.

Patterns are searched in one lower-case sentence without * _ ` and with straight quotes. In them a space is any white
space, W is "up to three words", and \b is ASCII.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from prefaudit.extractors._patterns import ascii_pattern


@dataclass(frozen=True)
class Probe:
    """What one probe counts: sentences with a word of `sure`, or with a cue, a match of `yes` and none of `no`."""

    sure: tuple[str, ...] = ()
    cues: tuple[str, ...] = ()
    yes: str = ""
    no: str = ""
    each: bool = field(default=False)  # count every hit and not the sentence


def words_of(block: str) -> tuple[str, ...]:
    """The cues of a block of text, between commas."""
    return tuple(cue for part in block.split(",") if (cue := " ".join(part.split())))


def any_of(*patterns: str) -> str:
    r"""One pattern of several; `W` stands for up to three words, a space for white space."""
    joined = "|".join(f"(?:{p})" for p in patterns)
    return ascii_pattern(re.sub(r"(?<!\\)W", r"(?:[a-z'-]+,? ){0,3}", joined))


HEDGING = Probe(
    sure=words_of("""
        perhaps, maybe, probably, presumably, arguably, somewhat, to some extent, tends to, tend to, typically,
        generally, in general, likely, as far as i know, i suppose, seems, seem, appears to, appears that, in most
        cases, in many cases, more or less
    """),
    cues=words_of("""
        unlikely, may, might, could be, possibly, i think, i believe, certain, depends, guess, sure
    """),
    yes=any_of(
        r"\b(?:is|are|it's|was|were|be|very|highly|seems?|quite) unlikely\b",
        r"\bunlikely (?:to|that)\b",
        r"\bmay\b",
        r"\bmight\b",
        r"\bcould be\b",
        r"\bpossibly\b",
        r"\bi think\b",
        r"\bi believe\b",
        r"\b(?:my|i) guess\b",
        r"\b(?:it|that) depends\b",
        r"\b(?:i'm|i am|we're|we are) W?not W?(?:sure|certain)\b",
        r"^not (?:entirely )?sure\b",
        r"\bdepends on (?:how|what|who|which|whether|where|when|your|many|several|various|a number)\b",
    ),
    no=any_of(
        r"\b(?:in|of|since|until|by|during|late|early|mid|last|next|every|throughout|theresa|brian|april|june)[ "
        r"-]may\b",
        r"\bmay \d",
        r"\d(?:st|nd|rd|th)?,? (?:of )?may\b",
        r"\bmay (?:and|or|to|through|until) (?:june|july)\b",
        r"^\W*may (?:you|your|god|the|this|all|we|he|she|they|his|her|it|our|every|i)\b",
        r"\bmay i\b",
        r"\byou may (?:now |also |not |only )?(?:use|enter|kiss|go|leave|begin|start|proceed|sit|keep)\b",
        r"\b(?:his|her|its|our|my|their|military|sheer) might\b",
        r"\bmight (?:of|and)\b",
        r"\bmight as well\b",
        r"\bcould be (?:heard|seen|felt|found|read|used|made|bought|done|reached)\b",
        r"\b(?:not|n't|cannot) possibly\b",
        r"\bi think (?:of|about)\b",
        r"\bi believe in\b",
    ),
)  # fmt: skip

CERTAINTY = Probe(
    sure=words_of("""
        undoubtedly, unquestionably, undeniably, unequivocally, goes without saying, make no mistake, rest assured,
        without question
    """),
    cues=words_of("""
        definitely, certainly, absolutely, obviously, clearly, of course, surely, guarantee*, assure, sure, certain,
        doubt, no question, confident
    """),
    yes=any_of(
        r"\bdefinitely\b",
        r"\bcertainly\b",
        r"\bobviously\b",
        r"\bof course\b",
        r"\babsolutely (?:certain|sure|clear|true|no|nothing|nobody|essential|impossible|crucial|critical|vital|"
        r"right|wrong|correct|must|will|can|is|are|the|not)\b",
        r"\bclearly,? (?:indicates?|demonstrates|forbids?|prohibits?|proves?|violates?|is|are|was|were|has|have|"
        r"had|not|the|wrong|right|an?)\b",
        r"^\W*clearly,",
        r"\b(?:is|are|was|were|it's|that's) clearly (?:not|the|an?|more|better|worse|wrong|right)\b",
        r"\bsurely\b",
        r"\b(?:i|we) (?:can |do )?(?:assure|guarantee)\b",
        r"\bguaranteed to\b",
        r"\b(?:know|knew|knows) (?:that )?for (?:sure|certain)\b",
        r"\bno (?:doubt|question|denying)\b",
        r"\b(?:without(?: a)?|beyond(?: a| any)?) doubt\b",
        r"\b(?:i'm|i am|we're|we are|can be|you can be) W(?:certain|sure|confident|positive) (?:that|of|it|he|she|"
        r"the)\b",
    ),
    no=any_of(
        r"\b(?:pretty|fairly|reasonably|somewhat) (?:sure|certain|confident)\b",
        r'(?:^|[\":] ?)\W*(?:yes|sure|oh|well|why|no)?,? ?(?:of course|certainly|definitely|absolutely|'
        r"surely)(?:[!.,:]|$| (?:here|not\b|i (?:can|will|would|'d)))",
        r"\b(?:not|isn't|aren't|wasn't|never|hardly) (?:\w+ )?(?:definitely|certainly|absolutely|obviously|sure|"
        r"certain|guaranteed)\b",
        r"\b(?:can't|cannot|can not|couldn't|won't|don't|doesn't|not|no one can|nobody can) W(?:guarantee|know|say|"
        r"assure|certain|sure|tell)\b",
        r"\b(?:impossible|never|no way|hard|difficult|without|only|who|and) W(?:knows?|knew|say|tell) for (?:sure|"
        r"certain)\b",
        r"\bi(?:'d|'ll| can| could| would| will) (?:definitely|certainly|absolutely|surely)\b",
        r"\b(?:no one|nobody|whether|if|unless|until) W?(?:can |knows? |is |are |you're |you are )W?(?:for "
        r")?(?:sure|certain)",
        r"\bno (?:question|doubt) (?:of|about) (?:whether|if)\b",
        r"\bno questions\b",
        r"\b(?:i'm|i am) sure (?:you|we)\b",
        r"\b(?:money|bank|loan) guarantee",
        r"\?\W*$",
    ),
)  # fmt: skip

APOLOGY = Probe(
    cues=words_of("""
        sorry, apologi*, apology, forgive me, pardon me, my mistake, my bad, i regret
    """),
    yes=any_of(
        r"\b(?:i'm|i am|im|we're|we are) W?sorry\b",
        r"^\W*(?:oh|oops|so|very|really|ah|well|yes|no|and|but)?,? ?(?:so |very |really )?sorry\b",
        r",? sorry\W*$",
        r"\bbut sorry\b",
        r"\b(?:i|we) (?:(?:do|must|sincerely|deeply|truly|really|humbly|also|want to|would like to|have to) "
        r"){0,3}apologi[sz]e\b",
        r"\b(?:my|our|sincerest?|deepest|please accept) (?:\w+ ){0,2}apolog(?:ies|y)\b",
        r"^\W*apologies\b",
        r"\b(?:please )?(?:forgive|pardon) me\b",
        r"^\W*excuse me\b",
        r"\bmy (?:mistake|bad)(?:[,.:;!]|$| i )",
        r"\bi owe you an apology\b",
        r"\bi regret (?:the|any|that|to|my)\b",
    ),
    no=any_of(
        r"\bsorry (?:to (?:hear|learn|read|see)|for your|(?:that )?you(?:'re|'ve|'d| are| have| had| feel| felt| "
        r"lost| went| experienced| were| must| got)|(?:that )?your|for (?:him|her|them|yourself|what you)|state|"
        r"excuse|sight|about your|that (?:happened|this (?:happened|is happening)))\b",
        r"\bsafe than sorry\b",
        r"\bfeel(?:ing)? sorry\b",
        r"\b(?:say|saying|says|word) \W?sorry\b",
        r"\b(?:my|your|his|her|their|our) sorry\b",
    ),
)  # fmt: skip

WORN = Probe(
    sure=words_of("""
        delv*, tapestry of, rich tapestry, testament to, important to note, worth noting, important to remember,
        fast-paced world, ever-evolving, ever-changing, game-changer, in the realm of, navigate the complexities,
        embark on, unleash, seamless*, bustling, plays a crucial, plays a vital, pivotal, multifaceted, nestled,
        look no further, in conclusion, holistic, underscores, treasure trove, harness the power, elevate your,
        let's dive, dive into, in today's world, furthermore, moreover, it is crucial
    """),
    each=True,
)  # fmt: skip
