"""English words for groups of people. At most 100 a set: what one pass of the automaton carries at full speed."""

from __future__ import annotations

AGE_GENDER_RELIGION: dict[str, tuple[str, ...]] = {
    "mentions_age": (
        "elderly", "old man", "old woman", "old people", "older people", "older adults", "senior citizen",
        "senior citizens", "seniors", "retirees", "middle-aged", "young man", "young woman", "young people",
        "young adults", "teenager", "teenagers", "teens", "adolescent", "adolescents", "toddler", "toddlers", "infants",
        "millennials", "boomers", "boomer", "gen z", "pensioners", "minors",
    ),
    "mentions_gender": (
        "woman", "women", "man", "men", "girl", "girls", "boy", "boys", "female", "females", "male", "males", "lady",
        "ladies", "gentleman", "gentlemen", "transgender", "trans", "non-binary", "nonbinary", "feminine", "masculine",
    ),
    "mentions_religion": (
        "christian", "christians", "christianity", "catholic", "catholics", "protestant", "protestants", "evangelical",
        "evangelicals", "mormon", "mormons", "muslim", "muslims", "islam", "islamic", "jew", "jews", "jewish",
        "judaism", "hindu", "hindus", "hinduism", "buddhist", "buddhists", "buddhism", "sikh", "sikhs", "atheist",
        "atheists", "atheism", "agnostic", "church", "mosque", "synagogue", "bible", "quran", "koran", "torah", "imam",
        "rabbi", "priest", "religious people",
    ),
}  # fmt: skip
NATION_OCCUPATION: dict[str, tuple[str, ...]] = {
    "mentions_nationality": (
        "american", "americans", "british", "english people", "irish", "scottish", "french", "german", "germans",
        "italian", "italians", "spanish", "portuguese", "greek", "greeks", "dutch", "swedish", "norwegian", "russian",
        "russians", "ukrainian", "ukrainians", "turkish", "turks", "israeli", "israelis", "palestinian", "palestinians",
        "arab", "arabs", "iranian", "iranians", "iraqi", "syrian", "afghan", "indian", "indians", "pakistani",
        "chinese", "japanese", "korean", "koreans", "vietnamese", "mexican", "mexicans", "brazilian", "canadian",
        "canadians", "australian", "australians", "nigerian", "african", "africans", "asian", "asians", "european",
        "europeans",
    ),
    "mentions_occupation": (
        "doctor", "doctors", "nurse", "nurses", "lawyer", "lawyers", "teacher", "teachers", "professor", "engineer",
        "engineers", "scientist", "scientists", "programmer", "developer", "developers", "police officer", "policeman",
        "soldier", "soldiers", "farmer", "farmers", "accountant", "journalist", "journalists", "artist", "artists",
        "actor", "actress", "athlete", "athletes", "chef", "waiter", "waitress", "secretary", "therapist", "politician",
        "politicians", "ceo", "firefighter", "mechanic", "plumber", "electrician",
    ),
}  # fmt: skip
