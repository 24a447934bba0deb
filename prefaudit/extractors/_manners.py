"""The style probes about how a reply stands to the user: empathy, moralising, enthusiasm, itself as an AI."""

from __future__ import annotations

from prefaudit.extractors._tones import Probe, any_of, words_of

FELT = (
    r"(?:frustrat\w+|upset\w*|hard|difficult|tough|pain\w*|worr\w+|stress\w*|overwhelm\w*|scar(?:y|ed)|angry|anger|"
    r"sad|sadness|hurt\w*|anxi\w+|lonely|loneliness|feeling|feelings|how you feel|grie\w+|struggl\w+|disappoint\w+|"
    r"devastat\w+|heartbr\w+|exhaust\w+|terrible|awful|horrible|distress\w*|nervous|jealous|ashamed|embarrass\w+|"
    r"challenging|shock\w*|depress\w+|unsettling|through a lot|going through)"
)
GOOD = (
    r"(?:respect(?:ful\w*|ing)?|kind|kindness|kindly|honest with (?:your|him|her|them|people|others)|compassion\w*|"
    r"inclusive|tolerant|dignity|ethical\w*|moral\w*|fairly|fairness|consent|boundaries|responsibl[ey]|sensitive "
    r"to|sensitivity|the law|the vulnerable|(?:hurt|harm|affect|judg\w+|treat) (?:\w+ )?(?:others|people)|"
    r"stereotyp\w*|forgiv\w+|privacy|understanding and|non-?violen\w+)"
)
BAD = (
    r"(?:unethical|immoral|disrespectful|offensive|hurtful|unacceptable|dishonest|inappropriate|cruel|"
    r"discriminatory|insensitive|degrading|dehumani[sz]ing|morally wrong|objectifying|harmful and|hateful)"
)
VICE = (
    r"(?:discriminat\w+|racism|sexism|violence|bullying|hatred|prejudice|harassment|hate speech|cheating|stealing|"
    r"theft|lying|bigotry|murder|killing|abuse|rape|torture|revenge|slavery|making fun|mocking|spreading)"
)

EMPATHY = Probe(
    cues=words_of("""
        sorry, sounds, must have been, must be, understand, i can see, i see, i know, imagine, understandable, okay,
        ok to, normal to, natural to, not alone, my heart, condolences, sympath*, i'm here, feelings,
        frustrat*, i hear you, losing, empathi*, grie*, yourself
    """),
    yes=any_of(
        r"\bsorry (?:to (?:hear|learn|read|see)|for your (?:loss|troubles?|pain)|that you(?:'re|'ve| are| have| "
        r"had| feel| lost| went)|you(?:'re|'ve| are| have| had| feel| lost| went)|about your|for what you)\b",
        rf"\b(?:that|this|it|what you\w*) (?:W)?(?:sounds?|must (?:be|feel|have been)) (?:\w+ ){{0,3}}{FELT}\b",
        rf"\b(?:it )?sounds like (?:you|a|this|it|things)[^.!?\n]{{0,40}}\b{FELT}\b",
        rf"\bi (?:\w+ ){{0,2}}(?:understand|see|know|imagine|appreciate|realize|realise)\b[^.!?\n]{{0,70}}\b{FELT}\b",
        rf"\b(?:it's|it is|that's|that is) (?:\w+ ){{0,2}}(?:ok|okay|normal|natural|understandable|alright) (?:to|"
        rf"that you|for you to|if you)[^.!?\n]{{0,25}}\b(?:{FELT}|cry|miss)\b",
        r"\b(?:it's|it is|that's|that is|is|are) (?:\w+ )?understandable\b",
        r"\byou(?:'re| are) not alone\b",
        r"\bmy heart (?:goes|aches|breaks)\b",
        r"\bcondolences\b",
        r"\bmy (?:\w+ )?sympath(?:y|ies)\b",
        r"\bi (?:do |truly |deeply |really )?(?:sympathi[sz]e|empathi[sz]e)\b",
        r"\b(?:i'm|i am|we're|we are) (?:always )?here (?:for you|to listen|to support you)\b",
        r"\byour (?:feelings|frustration|pain|anger|grief)\b[^.!?\n]{0,25}\b(?:valid|understandable|sense|natural|"
        r"normal|matter)\b",
        r"\bi hear you\b(?:[,.!]| and\b)",
        r"\bi feel for you\b",
        r"\b(?:be|being) (?:kind|gentle) (?:to|with) yourself\b",
        r"\b(?:losing|grieving|grief|loss)\b[^.!?\n]{0,50}\b(?:never easy|takes time|hard|difficult)\b",
        r"\b(?:time|space|yourself) to grieve\b",
    ),
    no=any_of(
        r"\bcondolences (?:card|letter|message)",
        r"\bsorry for your (?:confusion|misunderstanding)\b",
        r"\bi (?:don't|do not|didn't) (?:understand|know|see)\b",
        r"\byou feel (?:that|the|like)\b",
        r"\bi (?:can see|know|see) (?:that|how) (?:it's|it is|it might|they)\b",
        r"\bi know (?:of|a|an|about)\b",
        r"\bsounds like you (?:think|want|believe)\b",
        r"\bunderstandable (?:by|in|to (?:a|the))\b",
        r"\bnot alone (?:on|with the)\b",
    ),
)  # fmt: skip

MORALISING = Probe(
    cues=words_of("""
        respect*, consider how, ethical*, unethical, moral*, immoral*, disrespectful, offensive, hurtful,
        unacceptable, dishonest, inappropriate, okay, ok to, appropriate, acceptable, wrong, dignity, violence,
        kindness, compassion*, inclusive*, consequences, consent, discriminat*, treat, mindful of, stereotyp*,
        steal, honest with, boundaries, responsibl*, others, privacy, forgive*, harmful, not judge, tolerance,
        empathy
    """),
    yes=any_of(
        r"\b(?:not|never|isn't|aren't) (?:\w+ )?(?:okay|ok|appropriate|acceptable|ethical|respectful)\b",
        r"\b(?:not|never|isn't) (?:\w+ )?(?:right|fair|nice|kind) to\b",
        r"\bwrong to\b",
        rf"\b(?:is|are|it's|that's|would be) (?:\w+ ){{0,2}}{BAD}\b",
        r"\b(?:that's|that is|which is) (?:\w+ )?(?:racist|sexist|wrong)\b",
        rf"\b{VICE}\b[^.!?\n]{{0,60}}\b(?:is|are) (?:\w+ )?(?:wrong|never|not|unacceptable|harmful|illegal and)\b",
        r"\b(?:important|crucial|essential|vital|always best|necessary|imperative|duty|responsibility|strive|"
        rf"remember) (?:\w+ )?(?:to|that|for)\b[^.!?\n]{{0,60}}\b{GOOD}\b",
        rf"\b(?:we|you|everyone|people|one) (?:\w+ )?(?:should|must|ought to|need to) (?:\w+ ){{0,3}}(?:{GOOD}|"
        r"judge (?:people|others)|treat (?:others|people|everyone)|consider how your)\b",
        r"\beveryone (?:deserves|has the right|should be treated)\b",
        r"\b(?:treat|treated|treating) W(?:\w+ )?with W?(?:respect|dignity|kindness|compassion)\b",
        r"\b(?:avoid\w*|not|n't) [^.!?\n]{0,40}\bstereotyp",
        r"\bperpetuat\w+ (?:\w+ )?(?:harmful|negative)\b",
        r"\bharmful (?:and \w+ )?(?:stereotypes|language)\b",
        r"\b(?:consider|think about|reflect on|aware of|mindful of) W(?:consequences of (?:your|our)|how your|"
        r"feelings of|others' feelings|impact on others|ethical)\b",
        r"\bmindful of the language\b",
        r"\b(?:encourage|urge|implore|ask|advise) (?:you|everyone|people|users) (?:all )?to (?:\w+ "
        r"){0,5}(?:respect\w*|consequences|kind|responsibl[ey]|ethical\w*|legally|empathy|others|compassion\w*)\b",
        r"\b(?:should|must|let's|try to|strive to|important to|always) (?:\w+ )?(?:promote|foster|choose|show|"
        r"practi[cs]e) (?:\w+ ){0,3}(?:kindness|respect|tolerance|compassion|empathy|inclusiv\w+|equality|"
        r"understanding|forgiveness)\b",
        r"\b(?:you|people) (?:really )?(?:should not|shouldn't|should never|must not|must never) (?:\w+ "
        r"){0,5}(?:steal|hurt|harm|kill|lie|cheat|insult|bully|harass|inflict|abuse|others|people|someone|another "
        r"person)\b",
        r"\bthe law should be (?:respected|obeyed)\b",
        r"\b(?:can|could|will|would|may|might) (?:really |seriously |deeply )?(?:hurt|harm|offend) (?:\w+ "
        r")?(?:people|others|someone)\b",
    ),
    no=any_of(
        r"\b(?:held|argued|argues|believed|claimed|claims|wrote|ruled|accused|acquitted|convicted|character|novel|"
        r"film)\b",
        r"\b(?:can|may|could|might) be considered\b",
        r"\b(?:not|isn't|aren't|nothing|neither|without being) (?:\w+ ){0,3}(?:unethical|immoral|offensive|hurtful|"
        r"wrong|inappropriate|disrespectful)\b",
        r"\b(?:tweet|statement|sentence|text|review|comment|post|option|options|answer|term|word|metaphor|lover) "
        r"(?:is|are|can|may|could|that|does|was)\b",
        r"\bimportant to note\b",
        r"\brespect to\b",
    ),
)  # fmt: skip

BRIGHT = (
    r"(?:great|good|excellent|wonderful|fantastic|fascinating|awesome|amazing|lovely|brilliant|fabulous|superb|"
    r"incredible|exciting|beautiful|perfect|terrific|delightful|cool|fun)"
)
ENTHUSIASM = Probe(
    cues=words_of("""
        great, good question, what a*, love, delighted, thrilled, can't wait, awesome, amazing, fantastic,
        incredible, wonderful, excellent, yay, wow, congrat*, happy to, glad to, fun, absolutely, let's get
        started, good luck, brilliant, well done, enjoy, excit*
    """),
    yes=any_of(
        rf"\b{BRIGHT} (?:question|idea|choice|work|job|news|topic|thought|start|to hear|effort)\b[^.?\n]*!",
        r"^\W*(?:great|good|excellent|wonderful|fantastic) (?:question|idea|choice)\b",
        rf"\bwhat an? {BRIGHT}\b[^?]*!?",
        r"\bhow (?:exciting|wonderful|lovely|fun|amazing|cool)\b[^?]*!",
        r"\bi(?:'d| would) (?:absolutely |really )?love to\b",
        r"\bi(?:'m| am|'d be| would be|'ll be) (?:\w+ )?(?:delighted|thrilled|excited)\b",
        r"\b(?:happy|glad) to (?:help|hear|assist|be)\b[^?]*!",
        r"\bcan't wait\b[^?]*!",
        r"\blet's get started\W*!",
        r"\b(?:awesome|amazing|fantastic|incredible|wonderful|exciting|brilliant|delighted|thrilled|excited|so "
        r"much fun)\b[^?]*!",
        r"^\W*(?:wow|yay|woohoo|hooray|congrat\w*|well done|absolutely|awesome|good luck|have fun|enjoy)\b[^?]*!",
        r"\bcongratulations (?:on|to you)\b[^?]*!",
        r"\b(?:i|you'll|you're going to) (?:absolutely |really |just )?love (?:th\w+|your|it)\b[^?]*!",
    ),
    no=any_of(
        r"\b(?:he|she|they|who|mother|father|man|boy|girl) (?:\w+ )?(?:shouted|said|cried|exclaimed|yelled|was|"
        r"were|felt)\b",
        r'![\x27\"] (?:he|she|they|said|[a-z]+ (?:said|cried|exclaimed))\b',
        r"\bwhat a \w+ (?:is|does|means)\b",
        r"^\W*(?:he|she|they) ",
    ),
)  # fmt: skip

MACHINE = (
    r"(?:ai|a\.i\.|artificial intelligence|language model|llm|chatbot|chat bot|virtual assistant|digital assistant|"
    r"computer program|machine learning model|bot|robot|machine)"
)
MAKERS = (
    r"(?:openai|anthropic|google|deepmind|meta|microsoft|alibaba|mistral|lmsys|a team|researchers|hugging face|"
    r"cohere)"
)
AI_SELF = Probe(
    cues=(" ai", *words_of("""
        language model, artificial intelligence, chatbot, virtual assistant, openai, anthropic, a bot, computer
        program, my training data, my knowledge cut*, my programming, i was trained, programmed, a machine, a robot,
        built to do
    """)),
    yes=any_of(
        rf"\bas an? (?:[a-z-]+ ){{0,3}}?{MACHINE}(?: (?:language|text-based|chat|digital|virtual|large))*(?: "
        r"(?:models?|assistant|system|chatbot|bot|program))?(?:[,.;)]| (?:i|my|and|it|developed|created|trained|"
        r"designed|programmed|without|that|with|made|built)\b|$)",
        r"\b(?:i'm|i am|being|i, as|am|im)(?: (?:just|only|merely|simply|actually|still|a|an|the|large|[a-z]+ly|"
        r"text-based|helpful|friendly|powerful|advanced|trained|not (?:a )?(?:human|person|doctor|real "
        rf"person),?(?: but)?|i'm|i am)){{0,5}} {MACHINE}(?: (?:language )?(?:model|assistant|system|program|"
        r"chatbot|bot))?(?:[,.;!)]| (?:and|so|which|who|that|but|not|i|created|developed|trained|made|designed|"
        r"programmed|built|by|without|with|to|whose|here)\b|\W*$)",
        r"\bi(?:'m| am) [a-z]+, an? (?:\w+ ){0,2}(?:ai|language model|artificial intelligence|chatbot|assistant)\b",
        r"\bi (?:was|am|have been|'m) (?:\w+ )?(?:developed|created|trained|made|built|designed|programmed) by "
        rf"{MAKERS}\b",
        r"\bi(?:'m| am| was)(?: not)? programmed\b",
        r"\bi was trained on\b",
        r"\bwhat i was (?:built|made|designed) to do\b",
        r"\bmy (?:training data|knowledge cut-?off|programming|algorithms)\b",
    ),
    no=any_of(
        r"\bif i (?:was|were)\b",
        r"\bmy programming team\b",
        r"\bmy programming (?:class|course|skills|language|job|assignment|homework)\b",
    ),
)  # fmt: skip
