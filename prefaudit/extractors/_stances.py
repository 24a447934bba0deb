"""Read the user's last turn: is a view stated, whose is the other one, does the user push back. English, lower case.

`stance` is a logistic regression over words and phrases (stance.json, fitted by training/sycophancy/fit_stance.py).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from prefaudit.extractors._patterns import any_of, ascii_pattern, has
from prefaudit.extractors._tidy import tidy
from prefaudit.extractors._wording import Ends, Floats, Wording, cut, read_words, wording

READ = 2000  # characters at the start of a turn that are read, and TAIL at its end
TAIL = 600
SHOWN = (500, 250)  # characters at the start and end of a turn whose words are weighed
ENDS = Ends(6, 6, 0)

# One of these is in every turn that states a view, shows own work or pushes back.
CUES = (
    "i think", "i believe", "i feel", "i say", "i said", "i argue", "i claim", "i maintain", "i hold", "i insist",
    "i suspect", "i guess", "i reckon", "i contend", "i assume", "i would say", "i'd say", "i'd argue", "i told",
    "i'm ", "i am ", "my ", "imo", "imho", "seems to me", "i like", "i love", "i hate", "i dislike", "i don't",
    "i do not", "i agree", "i disagree", "i prefer", "i support", "i oppose", "i really", "i strongly", "i personally",
    "i honestly", "i firmly", "i just", "i wrote", "i've ", "i have ", "i made", "i built", "i came", "i know",
    "i always", "i truly", "don't you", "isn't it", "am i ", "right?", "wrong", "are you sure", "incorrect",
    "mistake", "actually", "really?", "you sure", "no,", "no.", "nope", "i also", "i still", "i kind", "i consider",
    "i find", "i was", "i see", "i can't", "i do ", "check", "not right", "not true", "think again", "no way", "we ",
    "i'd ", "i would", "i got", "to me", "imagine", "opinion", "thoughts", "agree?", "agree with me",
    "be honest", "honest", "hot take", "proof", "obviously", "everyone knows", "nobody", "should be", "overrated",
    "period.", "claim:", "convince me", "taste", "the way i", "it's settled", "mistaken", "idea:", "correct?", "sure",
)  # fmt: skip

SURELY = (
    r"(?: (?:really|strongly|personally|honestly|firmly|still|just|do|truly|always|also|kind of|sort of|would|"
    r"have always|actually|definitely|now|genuinely|sincerely|even|tend to|used to|can't help but|have to|must)){0,2}"
)
SAYS = (
    rf"(?:\bi{SURELY} (?:think|believe|say|said|argue|argued|claim|claimed|maintain|hold|insist|suspect|guess|reckon|"
    r"contend|assume|feel like|feel that|feel|told (?:him|her|them|my \w+)|know|am of the opinion|consider|find|"
    r"support|oppose|prefer|agree with|disagree with|agree|disagree|wrote that)|"
    r"\bi(?:'d| would) (?:say|argue|claim|bet|guess)|"
    r"\bi(?:'m| am) (?:\w+ ){0,2}?(?:sure|certain|convinced|confident|persuaded|of the opinion|inclined to think|"
    r"for|against|in favou?r of)|"
    r"\bmy (?:own |personal |honest )?(?:view|opinion|position|take|argument|belief|guess|answer|stance|theory|claim|"
    r"side|hunch|feeling|point|thesis|conclusion|suspicion|instinct|gut feeling|idea)(?: here| on (?:this|it)|"
    r" is){1,2}|"
    r"\bin my (?:view|opinion|book|experience|mind)\b|\bimh?o\b|\b(?:it )?seems to me\b|\bto my mind\b|"
    r"\bas far as i(?:'m| am) concerned\b)(?: that\b|,|:)?"
)
PERSON = (
    r"(?:friend|boss|colleague|co-?worker|partner|wife|husband|brother|sister|roommate|teacher|professor|mom|mum|dad|"
    r"mother|father|manager|neighbou?r|uncle|aunt|cousin|girlfriend|boyfriend|spouse|son|daughter|doctor|classmate|"
    r"teammate|buddy|mate|in-laws?|grandmother|grandfather|flatmate|people|someone|they|he|she)"
)
OTHERS = (
    rf"\b(?:(?:my|our|a|the|his|her|some|most) )?(?:\w+ )?{PERSON}s?\b(?:,? (?:who|on the other hand|however|still|"
    r"always|just|keeps|is|are|and|was|though|thinks?|\w+ly)\b,?){0,2} "
    r"?(?:thinks?|says?|said|believes?|argues?|argued|claims?|claimed|insists?|maintains?|"
    r"disagrees?|feels?|holds?|telling me|saying|arguing|convinced|sure|counters?|prefers?|supports?)(?: that\b|,|:)?"
)
STOP = (
    r"(?:[.!?\n]|, (?:but|while|and|whereas) (?:my|he|she|they|our|a|the)\b|\bwhile (?:my|he|she|they)\b|"
    r"\bbut (?:i'm|i am|my|he|she|they)\b|$)"
)
WORK = (
    r"\b(?:i(?:'ve| have)? (?:just |recently |finally )?(?:wrote|written|made|built|created|composed|drafted|"
    r"came up with|come up with|designed|painted|finished|put together|developed|invented|discovered)|"
    r"(?:this is|here is|here's|read|review|rate|about|of|on|like) my (?:\w+ ){0,3}?(?:poem|essay|story|draft|"
    r"song|novel|"
    r"plan|idea|code|design|script|paper|speech|letter|business|app|theory|argument|proposal|resume|cv|pitch|recipe|"
    r"thesis|solution|article|post))\b"
)
LIKES = r"\bi(?: do)?(?: really| absolutely| honestly| actually| personally)? (?:like|love|enjoy|adore|admire)\b"
HATES = (
    r"\b(?:i(?: really| absolutely| honestly| personally)? (?:dislike|hate|despise|can't stand|cannot stand|"
    r"do not (?:\w+ )?(?:like|enjoy)|don't (?:\w+ )?(?:like|enjoy)|did not write|didn't write)|"
    r"i(?: really| strongly| completely)? disagree with)\b"
)
VIEW = rf"(?:{SAYS}|{WORK}|{LIKES}|{HATES}|\bdon't you agree\b|\bdon't you think\b|\bam i (?:right|wrong|correct)\b)"
PUSH = (
    r"(?:\bare you (?:\w+ )?(?:sure|certain|positive)|\byou sure\b|\bthat(?:'s| is| was|'s just| is just)? "
    r"(?:not|wrong|incorrect|false|nonsense|ridiculous)|\bthat (?:doesn't|does not|can't|cannot|isn't|wasn't|"
    r"seems|sounds)"
    r" (?:\w+ )?(?:right|correct|true|be|sound|seem|make|wrong|off)|\bi (?:don't|do not) (?:\w+ )?(?:think|agree|"
    r"believe|buy|accept)|\byou(?:'re| are) (?:\w+ )?(?:wrong|mistaken|incorrect|confused)|"
    r"\b(?:incorrect|mistaken|nope|bullshit)\b|^\W*(?:no|nah)[,.!]+ (?:it|that|this|you|he|she|there|the|"
    r"i think|i believe|"
    r"i said|my)\b|^\W*(?:wrong|no)\W*$|^\W*(?:hmm|wait)\W+(?:i|that|isn't|are)\b|\bi (?:\w+ )?disagree\b|"
    r"\b(?:isn't|wasn't) (?:it|that|he|she|the)\b|\bactually,? (?:it|i|the|no|that|my)\b|\bcheck (?:that |it |your )?"
    r"(?:again|math|facts|work)|\bthink again\b|\bi (?:thought|learned|was taught|read|heard)\b|"
    r"^\W*really\?+(?:$| i\b| that\b| are\b)|"
    r"\bmy (?:teacher|professor|textbook|book) (?:\w+ )?(?:says|said|told)\b|"
    r"\bi(?:'m| am) (?:\w+ )?(?:sure|certain|positive|confident|convinced) (?:it|that|this|the|you|he|she|"
    r"there)\b|\byou made (?:a|an) (?:\w+ )?(?:mistake|error)|\btry again\b|\bi(?:'m| am) right\b)"
)
# A text to be written speaks to its own reader. Not by "I wrote": that is own work.
TEXT = (
    r"(?:\b(?:write|compose|draft|rewrite|re-write|paraphrase|translate|generate|craft|role-?play|pretend|"
    r"act as|imagine|"
    r"expand|proofread|continue) |\b(?:create|make|give|develop|provide|design|need|want|"
    r"help)(?: \w+){0,6} (?:post|email|"
    r"e-mail|letter|poem|story|script|speech|song|lyrics|ad|advert|advertisement|tweet|description|article|"
    r"essay|blog|slogan|"
    r"review|dialogue|conversation|compliments?|message|insults?|captions?|introduction|toast|ode|rap|content|"
    r"sentences?)s?\b"
    r"|^\W*(?:script|poem|story|title|summary)\b|\bsay to\b)"
)
NOT = r"(?:\bnot?\b|n't\b|\bnever\b|\bcannot\b|\bno one\b|\bwrong\b|\bagainst\b|\boppose\b|\bdisagree\b|\bnor\b)"


def read(turns: pl.Series) -> pl.DataFrame:
    """What n last user turns (null allowed) say of the user's own view.

    Returns:
        n rows: `turn` (as given), `stance` (Boolean, null without a turn), `claim` and `other` (String: the view the
        user holds, and the one laid to another), `negated` (the claim denies), `disliked` (the user speaks against the
        thing), `push` (contradicts or doubts).
    """
    n = len(turns)
    given, turns = turns, tidy(turns)
    maybe = (
        turns.str.replace_many(["\n", "  "], [" ", " "]).str.to_lowercase().str.contains(any_of(CUES)).fill_null(False)
    )
    index = np.flatnonzero(maybe.to_numpy())
    known = pl.select(pl.when(turns.is_not_null()).then(False)).to_series()
    none = pl.Series([False]).new_from_index(0, n)
    empty = pl.Series([None], dtype=pl.String).new_from_index(0, n)
    flags = ("negated", "disliked", "push")
    made = {"turn": given, "stance": known, "claim": empty, "other": empty, **dict.fromkeys(flags, none)}
    if len(index):
        seen = _seen(turns.gather(index))
        made |= {name: made[name].clone().scatter(index, seen[name]) for name in made if name != "turn"}
    return pl.DataFrame(made)


def wants_text(turns: pl.Series) -> npt.NDArray[np.bool_]:
    """True where the user asks for a text to be written or spoken; turns without nulls."""
    frame = turns.alias("turn").to_frame().with_columns(pl.col("turn").str.head(READ).str.to_lowercase())
    asked = has(pl.col("turn"), TEXT) & ~has(pl.col("turn"), WORK)
    return frame.select(asked).to_series().to_numpy()


def _seen(turns: pl.Series) -> pl.DataFrame:
    frame = patterns(turns)
    frame = frame.with_columns(stance=pl.Series(stance_logits(turns, frame, model()) >= 0))
    negated = has(pl.col("claim"), NOT) & ~has(pl.col("other"), NOT).fill_null(False)
    # Without words such as "I think", a short turn that is a statement and asks for a verdict is the claim itself.
    claim = pl.when("stance").then(pl.coalesce("claim", pl.col("turn").str.head(400)))
    return frame.drop("said").with_columns(negated=negated.fill_null(False), claim=claim)


def patterns(turns: pl.Series) -> pl.DataFrame:
    """What patterns find in n turns: `claim`, `other`, `said` (a view), `disliked`, `push`; and the `turn`, plain."""
    text = turns.str.replace_all(r'[*_"#`]', "")
    text = text.str.replace_all(r"[ \t\u{a0}]+", " ").str.to_lowercase()
    near = pl.when(text.str.len_chars() > READ + TAIL).then(text.str.head(READ) + "\n" + text.str.tail(TAIL))
    frame = pl.DataFrame({"turn": pl.select(near.otherwise(text)).to_series()})
    turn = pl.col("turn")
    return frame.with_columns(
        claim=turn.str.extract(ascii_pattern(f"{SAYS} (.{{2,300}}?){STOP}"), 1),
        other=turn.str.extract(ascii_pattern(f"{OTHERS} (.{{2,300}}?){STOP}"), 1),
        said=has(turn, VIEW),
        disliked=has(turn, HATES) & ~has(turn, LIKES),
        push=has(turn.str.head(400), PUSH),
    )


@dataclass(frozen=True)
class Model:
    """The weights of `stance`: of phrases, of a view said outright and of pushback, and the bias."""

    phrases: Wording
    said: float
    push: float
    bias: float


@cache
def model() -> Model:
    """The shipped weights."""
    return built(json.loads((files("prefaudit.extractors") / "stance.json").read_text()))


def built(data: dict[str, Any]) -> Model:
    """Weights as they stand in the JSON file."""
    return Model(wording({name: [weight] for name, weight in data["phrases"].items()}), data["said"], data["push"],
                 data["bias"])  # fmt: skip


def stance_logits(turns: pl.Series, seen: pl.DataFrame, weights: Model) -> Floats:
    """How likely each of n turns (no null) states a view or shows own work.

    Args:
        turns: the turns.
        seen: `said` and `push` of them.
        weights: a logistic regression on the words and phrases of their beginning and end.
    """
    words = read_words(cut(turns, *SHOWN))
    made = weights.phrases.weigh(words, len(turns), ENDS)[:, 0]
    result: Floats = (
        made + weights.said * seen["said"].to_numpy() + weights.push * seen["push"].to_numpy() + weights.bias
    )
    return result
