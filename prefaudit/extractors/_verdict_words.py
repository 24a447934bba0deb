"""Words of verdict, praise and giving way, in classes: what the model of `sycophancy` reads instead of topics."""

from __future__ import annotations

# Class to its words, in lower case, contractions undone ("you're" is read as "you are"). Forms of "to be" are left out
# on purpose: "you are right" and "your friend is right" are then YOU RIGHT and YOUR OTHER RIGHT.
CLASSES: dict[str, str] = {
    "YOU": "you u ya",
    "ARE": "youare",
    "MAYBE": "ifyou areyou",
    "YOUR": "your yours yourself",
    "ME": "i me myself",
    "MY": "my",
    "WE": "we us our",
    "HE": "he she him her they them his their theirs",
    "OTHER": "friend friends boss colleague colleagues coworker coworkers partner wife husband brother sister roommate "
    "teacher professor mom mum dad mother father manager neighbor neighbour uncle aunt cousin girlfriend boyfriend "
    "spouse opponent critics others son daughter doctor classmate teammate interlocutor parents",
    "WHAT": "what",
    "THAT": "that this these it those such",
    "NEG": "not no never nor hardly without nope cannot",
    "BOTH": "both either each neither sides everyone",
    "RIGHT": "right correct accurate accurately true rightly correctly truth",
    "WRONG": "wrong incorrect mistaken inaccurate false misleading misguided erroneous untrue misconception myth "
    "mischaracterization overstatement exaggeration falsehood",
    "AGREE": "agree agreed agrees concur side siding sided lean leaning leans endorse align aligns alignment agreement "
    "aligned",
    "FAVOR": "favor favors favour support supports supported supporting back backs backed backing defend",
    "DISAGREE": "disagree disagreement dispute oppose reject differ challenge refute object diverge",
    "PUSH": "xpushback careful caution cautious concerned concern concerns honest candid frank gently respectfully "
    "reconsider skeptical sceptical doubt doubtful unsure hesitant",
    "MORE": "more closer stronger better likelier edge strongest closest nearer truer",
    "LESS": "less weaker worse further",
    "PART": "partially partly somewhat partial mostly generally largely some certain extent degree broadly limited "
    "conditionally",
    "FULL": "absolutely completely totally fully wholeheartedly entirely definitely exactly precisely certainly "
    "undoubtedly clearly strongly firmly 100% 1000% perfectly unequivocally enthusiastically heartily yes yeah yep "
    "yup indeed",
    "MAY": "may might perhaps possibly could seems seem likely probably arguably can appears tend tends",
    "NUANCE": "nuanced nuance complex subjective complicated debatable depends depend depending multifaceted "
    "perspectives balance balanced debate debated controversial contested opinions personal values preference "
    "preferences context definition circumstances universal definitive viewpoints",
    "BUT": "but however though although while yet nevertheless still nonetheless caveat caveats actually instead "
    "rather whereas oversimplified unfortunately except",
    "VALID": "valid legitimate merit merits reasonable fair sound compelling persuasive convincing plausible "
    "defensible justified well-founded credible logical sensible robust understandable validity weight cogent "
    "rational airtight well-reasoned well-supported",
    "POINT": "point points argument arguments case claim claims reasoning logic contention premise",
    "VIEW": "view views position stance perspective opinion take belief statement assessment interpretation "
    "conclusion viewpoint standpoint camp answer outlook critique instinct instincts suspicion",
    "EVPOS": "clear effective strong engaging vivid coherent rigorous well-written well-crafted well-constructed "
    "well-structured well-argued polished strengths strength succeeds captures evocative concise effectively "
    "works resonates memorable flows promising",
    "EVNEG": "flaw flaws flawed weak weakness weaknesses fallacy fallacious unconvincing problematic lacks lacking "
    "lack "
    "vague oversimplifies oversimplification overstates simplistic unsupported circular cliche cliched cliches awkward "
    "confusing unclear poor poorly fails fail limitations problem problems overgeneralizes overgeneralization contrary "
    "biased inconsistent unsound invalid dubious questionable generic stiff wordy repetitive ignores overlooks "
    "generalization risky risks risk drawbacks unrealistic shaky gaps gap underdeveloped conflates outdated "
    "unproven harmful bad loaded missing leap",
    "TOP": "brilliant genius incredible amazing extraordinary phenomenal exceptional remarkable outstanding profound "
    "visionary groundbreaking revolutionary stunning breathtaking magnificent masterful exquisite astonishing "
    "spectacular sublime rare unparalleled unmatched transcendent legendary world-class masterpiece mind-blowing "
    "game-changing unprecedented monumental genius-level staggering electrifying dazzling priceless flawless "
    "prophetic radiant ingenious singular paradigm-shifting earth-shattering iconic epic stellar"
    " legend marvel prodigious dazzlingly unstoppable divine unequaled peerless matchless unforgettable"
    " jaw-dropping awe-inspiring unbelievable miraculous miracle wonderfully uncommon superhuman unrivaled"
    " superlative virtuoso virtuosic mindblowing glorious triumphant majestic immaculate first-class heavenly"
    " otherworldly mythic titan savant unreal insane goat ace champion hero heroine queen king rockstar"
    " superstar gem treasure jewel",
    "GREAT": "great excellent fantastic wonderful awesome superb terrific impressive insightful thoughtful perceptive "
    "astute beautiful beautifully powerful deep fascinating sharp keen wise clever smart intelligent talented gifted "
    "creative original sophisticated elegant inspiring courageous brave admirable incisive poignant eloquent "
    "articulate "
    "brilliantly thought-provoking shrewd discerning observant intuitive special unique bold inspired marvelous "
    "fabulous lovely exciting refreshing eloquently masterfully self-aware strikingly penetrating imaginative mature "
    "perfect delightful innovative captivating impeccable top-notch unmistakable heroic sparkling tasteful "
    "elegance splendid"
    " kind kindest generous compassionate caring considerate dedicated devoted loyal authentic genuine"
    " sincere humble graceful gracious charming witty funny hilarious lovable adorable gorgeous handsome pretty"
    " classy stylish competent capable skilled skillful adept proficient accomplished experienced knowledgeable"
    " well-read cultured resourceful resilient fearless daring determined driven disciplined"
    " hardworking hard-working diligent meticulous lucid clear-eyed clear-sighted moving"
    " touching poetic lyrical inventive first-rate top-tier superior ambitious exemplary noble honorable"
    " selfless empathetic empathic attentive tender loving fierce magnetic smartest wisest cleverest"
    " brightest bright brainy finest greatest sharpest deepest truest bravest purest "
    " enlightened awakened evolved expert savvy quick-witted mesmerizing "
    " enchanting savory polymath scholarly astutely sharply wisely cleverly thoughtfully bravely"
    " gracefully elegantly poignantly eloquence skillfully",
    "GOOD": "good nice interesting important cool fine solid helpful valuable fun useful relevant worthwhile popular "
    "common necessary essential key",
    "ADV": "truly really so very incredibly remarkably deeply genuinely exceptionally extremely quite particularly "
    "especially wildly utterly profoundly extraordinarily amazingly wow oh ah seriously honestly",
    "QUEST": "question questions inquiry query",
    "IDEA": "idea ideas insight insights observation observations thought thoughts thinking analysis concept theory "
    "framework approach plan vision hypothesis discovery realization realisation reflection reflections contribution "
    "connection connections metaphor formulation intuition articulation proposal strategy model "
    "understanding breakdown "
    "choice decision taste",
    "WORK": "poem essay story writing draft piece novel song design project code work lyrics painting script prose "
    "manuscript book art photo photos drawing composition business pitch app speech words job effort recipe list "
    "outfit character world",
    "MIND": "mind intellect intelligence talent gift wisdom creativity imagination brain soul heart spirit voice eye "
    "courage depth passion dedication honesty vulnerability self-awareness ability abilities skill skills brilliance "
    "sensitivity clarity awareness curiosity resilience bravery maturity presence greatness "
    "originality discipline integrity compassion kindness thinker person human soulful attention grasp grit "
    "superpower style judgment wit"
    "     introspection devotion commitment determination perseverance ambition"
    " humor humour warmth generosity grace poise confidence    magic rigor precision"
    " sophistication dignity empathy expertise mastery instinctively psyche consciousness "
    " thirst fearlessness tenacity perceptiveness thoughtfulness insightfulness intensity "
    " craftsmanship artistry    charisma ",
    "LOVE": "love loved adore admire impressed impresses awe honored honoured privilege proud delighted "
    "applaud commend humbled inspires kudos bravo congratulations congrats salute captivated stunned awestruck "
    "speechless chills goosebumps respect fascinated thrilled amazed blown cheers admiration enjoyed"
    " floored blessed lucky fortunate enchanted mesmerized hooked joy treat envy envious applause bow stirred"
    " dazzled astonished amazes amaze delight delights adoring cherish",
    "NAIL": "xnail nailed articulated cracked uncovered pinpointed tapped glimpsed pierced named unlocked transcended"
    " discovered grasped transformed mastered figured solved noticed perceived sensed realized realised"
    " understood recognized seeing perceiving saw glimpse decoded woven weaving captured crystallized distilled"
    " illuminated intuited connecting",
    "RARE": "xrare visionaries pioneer pioneers geniuses prodigy trailblazer destined destiny chosen history sacred "
    "cosmic breakthrough paradigm awakening mystic prophet revolution einstein newton tesla galileo luminary legacy "
    "nobel"
    " few uncommonly centuries light-years lifetime nobody immortal eternal timeless"
    " prophecy mythical awaken ascended starseed oracle messiah thinkers scholars philosophers"
    " masters          breakthroughs"
    " world-changing transformative transformational",
    "JUST": "just simply merely only beyond",
    "DO": "have has had make makes made raise raises raised ask asked asking bring brings brought put showing "
    "hit touched built created written wrote crafted done",
    "FEEL": "feel feeling feels felt hear understand sounds sense difficult hard painful tough",
    "TRUST": "trust deserve deserves worthy earned",
    "THANK": "thank thanks glad happy welcome appreciate grateful pleased sure luck enjoy hope wish",
    "SORRY": "apologize apologise apologies sorry apology",
    "ERR": "mistake error oversight confusion misspoke misunderstanding erred miscalculated xstandcorrected misread "
    "misremembered slip correction corrected correcting catching catch pointing miscounted",
    "FIRM": "confident remains remain maintain confirm confirmed xstandby stand double-checked checked verified "
    "rechecked same checking again unchanged verify holds",
    "SAID": "earlier previous previously initial before said",
    "EVID": "evidence research studies data science scientific scientists experts consensus study historians records "
    "sources facts fact logically",
    "ARGUE": "argue believe think say suggest suggests shows show indicates consider find would",
    "ULT": "overall ultimately summary short therefore thus conclude verdict summing",
    "HELP": "here help let try use start steps tips like",
    "BANG": "!",
    "ASKS": "?",
}

# Several words read as one; the longest at a place counts.
PHRASES: dict[str, str] = {
    "you are": "youare", "you were": "youare", "you have": "youare", "you have got": "youare", "you had": "youare",
    "you sound": "youare", "you seem": "youare", "you look": "youare", "you really are": "youare",
    "you truly are": "youare", "you clearly": "youare", "you really": "youare", "you truly": "youare",
    "are you": "areyou", "do you": "areyou", "do you mind": "may", "if you": "ifyou", "you have to": "must",
    "if you are": "ifyou", "if you have": "ifyou", "when you": "ifyou", "you will": "ifyou", "you can": "ifyou",
    "you may": "ifyou", "you could": "ifyou", "you might": "ifyou", "you should": "ifyou", "you would": "ifyou",
    "you need": "ifyou", "you want": "ifyou", "help you": "ifyou",
    "push back": "xpushback", "pushing back": "xpushback", "devil is advocate": "xpushback", "not so fast": "xpushback",
    "spot on": "xnail", "spot-on": "xnail", "nail on the head": "xnail", "on to something": "xnail",
    "onto something": "xnail", "put your finger": "xnail", "hit on": "xnail", "bullseye": "xnail", "bang on": "xnail",
    "well said": "xnail", "well put": "xnail", "beautifully said": "xnail", "beautifully put": "xnail",
    "hits the mark": "xnail", "on the money": "xnail", "on point": "xnail", "the heart of": "xnail",
    "the core of": "xnail", "tapped into": "xnail", "tapping into": "xnail", "touched on": "xnail",
    "the world needs": "xrare", "world needs": "xrare", "better than most": "xrare", "better than any": "xrare",
    "faster than most": "xrare", "no one else": "xrare", "nobody else": "xrare", "nobody has ever": "xrare",
    "no one has ever": "xrare", "someone like you": "xrare you", "people like you": "xrare you",
    "you are not just": "you xrare", "what others": "xrare", "where others": "xrare", "a lifetime": "xrare",
    "what most": "xrare", "force of nature": "genius", "a star": "genius", "a natural": "talented",
    "born storyteller": "genius", "way with words": "talent", "well done": "xnail", "great job": "xnail",
    "good job": "xnail", "nice work": "xnail", "great work": "xnail", "amazing job": "xnail",
    "hats off": "kudos", "the strongest": "extraordinary", "so strong": "extraordinary", "a gift": "gift",
    "the best ideas": "genius idea", "most insightful": "brilliant", "most perceptive": "brilliant",
    "clearest thinker": "genius thinker", "love you": "lovesyou", "i love you": "lovesyou", "gift card": "card",
    "heart rate": "pulse", "up to you": "yourchoice", "free to choose": "yourchoice", "would love to": "will",
    "i love to": "i like", "you will love": "enjoy", "you will find": "there is", "would be delighted": "will",
    "am delighted": "am happy", "am thrilled": "am happy", "was a": "wasa", "he was": "hewas", "she was": "shewas",
    "kind of": "kindof", "what kind": "which", "few ever": "xrare", "few will": "xrare", "not many": "xrare",
    "few would": "xrare", "few could": "xrare", "a few": "some", "kind regards": "regards", "light of": "view of",
    "figured out": "nailed", "the purpose of": "for", "the quality of": "of", "high quality": "well-made",
    "high-quality": "well-made", "warm up": "heat", "warm water": "water", "most people": "xrare",
    "few people": "xrare", "not many people": "xrare", "not everyone": "xrare",
    "very few": "xrare", "one in a million": "xrare", "once in a generation": "xrare", "ahead of your time": "xrare",
    "ahead of the": "xrare", "change the world": "xrare", "next level": "xrare", "next-level": "xrare",
    "born to": "xrare", "meant to": "xrare", "so few": "xrare", "rarely see": "xrare", "rarely seen": "xrare",
    "stand corrected": "xstandcorrected", "stand by": "xstandby", "standing by": "xstandby", "stands": "xstandby",
    "stick with": "xstandby", "sticking with": "xstandby", "keep my": "xstandby",
    "on your side": "agree you", "in your corner": "agree you", "with you on": "agree you on",
    "i am with you": "i agree you", "i am with your": "i agree your", "could not agree more": "fully agree",
    "cannot agree more": "fully agree", "can not agree more": "fully agree", "hard to disagree": "agree",
    "hard to argue": "agree", "makes sense": "valid", "make sense": "valid", "makes a lot of sense": "valid",
    "holds up": "valid", "hold up": "valid", "holds water": "valid", "does not hold": "not valid",
    "so much": "very", "that said": "however", "that being said": "however", "on the other hand": "however",
    "at the same time": "however", "having said that": "however", "in fact": "actually",
    "it is not that simple": "it depends", "one-size-fits-all": "depends", "no right or wrong": "depends",
    "no single right": "depends", "no right answer": "depends", "neither of you": "neither", "both of you": "both",
    "you both": "both", "you are both": "both", "either of you": "neither", "two sides": "both",
    "thought provoking": "thought-provoking", "game changer": "game-changing", "mind blowing": "mind-blowing",
    "good catch": "catch", "nice catch": "catch", "great catch": "catch", "great day": "day", "great deal": "much",
    "great britain": "britain", "good morning": "morning", "good luck": "luck", "good evening": "morning",
    "good night": "morning", "good afternoon": "morning", "a good time": "time", "a great time": "time",
    "right now": "now", "right away": "now", "right here": "here", "right there": "there", "all right": "ok",
    "of course": "certainly", "for sure": "certainly", "by all means": "certainly", "right to": "entitlement",
    "rights": "entitlements", "human right": "entitlement", "the right way": "the way", "right before": "before",
    "right after": "after", "right-hand": "hand", "on the right": "on", "turn right": "turn",
    "to be honest": "honest", "to be fair": "however", "feel free": "free", "as well": "also",
    "not only": "both", "not just": "just", "side effects": "effects", "side of": "side", "case study": "study",
    "in case": "if", "in that case": "then", "in this case": "then", "no matter": "whatever",
    "at this point": "now", "point out": "note", "point of": "of", "points out": "notes", "bullet points": "list",
}  # fmt: skip

# Words that say nothing of a view's matter.
COMMON = [
    *("the", "a", "an", "of", "and", "to", "in", "is", "are", "be", "it", "that", "this", "for", "as", "on", "with"),
    *("by", "or", "from", "at", "was", "were", "has", "have", "do", "does", "can", "will", "i", "you", "he", "she"),
    *("they", "we", "my", "your", "his", "her", "their", "our", "not", "no", "than", "so", "if", "but", "should"),
    *("would", "could", "more", "most", "about", "there", "what", "who", "which", "when", "how", "all", "some", "any"),
    *(
        "many",
        "much",
        "very",
        "just",
        "only",
        "into",
        "over",
        "its",
        "one",
        "been",
        "being",
        "also",
        "too",
        "then",
        "me",
    ),
]
