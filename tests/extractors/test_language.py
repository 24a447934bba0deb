from __future__ import annotations

import json
import os
from pathlib import Path

import polars as pl
import pytest

from prefaudit.extractors._language import english
from prefaudit.extractors.language import Language, identify
from tests.extractors.frames import pairs, run

SENTENCES = {
    "en": ("I would start with a short walk every morning and see how it feels after two weeks.",
           "Put the flour in a bowl, add the eggs one by one and stir until no lumps are left."),
    "de": ("Ich würde jeden Morgen mit einem kurzen Spaziergang anfangen und nach zwei Wochen sehen, wie es geht.",
           "Gib das Mehl in eine Schüssel, füge die Eier einzeln hinzu und rühre, bis keine Klumpen mehr da sind."),
    "fr": ("Je commencerais par une courte promenade chaque matin, puis je verrais après deux semaines.",
           "Mettez la farine dans un bol, ajoutez les œufs un par un et remuez jusqu'à ce que ce soit lisse."),
    "es": ("Yo empezaría con un paseo corto cada mañana y vería cómo me siento después de dos semanas.",
           "Pon la harina en un bol, añade los huevos uno a uno y remueve hasta que no queden grumos."),
    "it": ("Comincerei con una breve passeggiata ogni mattina e dopo due settimane vedrei come va.",
           "Metti la farina in una ciotola, aggiungi le uova una alla volta e mescola finché è liscio."),
    "pt": ("Eu começaria com uma caminhada curta todas as manhãs e veria como me sinto depois de duas semanas.",
           "Coloque a farinha numa tigela, junte os ovos um a um e mexa até não haver mais grumos."),
    "nl": ("Ik zou elke ochtend met een korte wandeling beginnen en na twee weken kijken hoe het gaat.",
           "Doe de bloem in een kom, voeg de eieren een voor een toe en roer tot er geen klontjes meer zijn."),
    "sv": ("Jag skulle börja med en kort promenad varje morgon och se hur det känns efter två veckor.",
           "Häll mjölet i en skål, tillsätt äggen ett i taget och rör tills det inte finns några klumpar kvar."),
    "pl": ("Zacząłbym od krótkiego spaceru każdego ranka i po dwóch tygodniach sprawdził, jak się czuję.",
           "Wsyp mąkę do miski, dodawaj jajka jedno po drugim i mieszaj, aż nie będzie grudek."),
    "cs": ("Začal bych krátkou procházkou každé ráno a po dvou týdnech bych viděl, jak se cítím.",
           "Nasypte mouku do mísy, přidávejte vejce jedno po druhém a míchejte, dokud nezmizí hrudky."),
    "fi": ("Aloittaisin lyhyellä kävelyllä joka aamu ja katsoisin kahden viikon kuluttua, miltä se tuntuu.",
           "Laita jauhot kulhoon, lisää munat yksi kerrallaan ja sekoita, kunnes paakkuja ei enää ole."),
    "tr": ("Her sabah kısa bir yürüyüşle başlar ve iki hafta sonra nasıl hissettiğime bakardım.",
           "Unu bir kaseye koyun, yumurtaları birer birer ekleyin ve topak kalmayana kadar karıştırın."),
    "ru": ("Я бы начал с короткой прогулки каждое утро и через две недели посмотрел, как себя чувствую.",
           "Насыпьте муку в миску, добавляйте яйца по одному и мешайте, пока не останется комков."),
    "uk": ("Я б почав із короткої прогулянки щоранку і за два тижні подивився, як почуваюся.",
           "Насипте борошно в миску, додавайте яйця по одному й мішайте, доки не зникнуть грудки."),
    "el": ("Θα ξεκινούσα με έναν σύντομο περίπατο κάθε πρωί και θα έβλεπα πώς νιώθω μετά από δύο εβδομάδες.",
           "Βάλτε το αλεύρι σε ένα μπολ, προσθέστε τα αυγά ένα ένα και ανακατέψτε μέχρι να μην υπάρχουν σβόλοι."),
    "ar": ("سأبدأ بنزهة قصيرة كل صباح ثم أرى كيف أشعر بعد أسبوعين من ذلك.",
           "ضع الدقيق في وعاء ثم أضف البيض واحدة تلو الأخرى وحرك حتى يختفي التكتل."),
    "hi": ("मैं हर सुबह थोड़ी देर टहलने से शुरू करूँगा और दो हफ़्ते बाद देखूँगा कि कैसा लगता है।",
           "आटे को एक कटोरे में डालें, एक-एक करके अंडे मिलाएँ और गांठें खत्म होने तक चलाते रहें।"),
    "zh": ("我会先从每天早上散一小段步开始，两个星期以后再看看感觉怎么样。",
           "把面粉放进碗里，一个一个地加入鸡蛋，一直搅拌到没有疙瘩为止。"),
    "ja": ("毎朝短い散歩から始めて、二週間後にどう感じるかを見てみると思います。",
           "小麦粉をボウルに入れ、卵を一つずつ加えて、だまがなくなるまで混ぜてください。"),
    "ko": ("매일 아침 짧은 산책으로 시작해서 이 주 뒤에 어떤 느낌인지 살펴볼 것 같아요.",
           "밀가루를 그릇에 담고 달걀을 하나씩 넣으면서 덩어리가 없어질 때까지 저어 주세요."),
}  # fmt: skip


@pytest.mark.parametrize("code", SENTENCES)
def test_twenty_languages(code: str) -> None:
    found = identify(pl.Series(list(SENTENCES[code])))["language"].to_list()
    assert found[0] == code
    assert found[1] in (code, None)  # the model is not sure of the second Ukrainian one


@pytest.mark.parametrize("text", ["", "Yes.", "42", "!!!", "https://example.org/a/long/path/to/nothing", "你好",
                                  "```python\nfor i in range(10):\n    print(i)\n```", "ha ha ha ha"])  # fmt: skip
def test_too_little_to_say(text: str) -> None:
    assert identify(pl.Series([text]))["language"].to_list() == [None]


def test_code_and_case_do_not_decide() -> None:
    fenced = "```python\nprint('the cat and the dog and the house')\n```\n" + SENTENCES["de"][0]
    assert identify(pl.Series([fenced, SENTENCES["fr"][0].upper()]))["language"].to_list() == ["de", "fr"]


def test_the_words_that_save_the_model_agree_with_it() -> None:
    text = "It is the best of the options that you have, and this is not the end of the story."
    assert identify(pl.Series([text, text.replace(" the ", " ")]))["language"].to_list() == ["en", "en"]


def test_columns() -> None:
    frame = pairs([(SENTENCES["en"][0], SENTENCES["de"][0], SENTENCES["en"][1]), ("?", None, SENTENCES["zh"][0])])
    made = run(Language(), frame)
    assert made["c"].to_list() == [{"language": "de"}, None]
    assert made["r"].to_list() == [{"language": "en"}, {"language": "zh"}]
    assert made["prompt_language"].to_list() == ["en", None]


@pytest.mark.parametrize(("file", "code"), [("dpo_en_demo.json", "en"), ("dpo_zh_demo.json", "zh")])
def test_chinese_and_english_pairs(file: str, code: str) -> None:
    """Pairs said to be of one language; the few others are tasks of translation, code or lists of foreign words."""
    folder = os.environ.get("PREFAUDIT_TEST_DATA")
    if not folder:
        pytest.skip("PREFAUDIT_TEST_DATA is not set")
    rows = json.loads((Path(folder) / "llamafactory-demo" / file).read_text(encoding="utf8"))
    found = identify(pl.Series([row[side]["value"] for row in rows for side in ("chosen", "rejected")]))["language"]
    known = found.drop_nulls()
    assert len(known) > 0.9 * len(found)
    assert (known == code).mean() > 0.97  # type: ignore[operator]


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("Lo siento, no puedo ayudarte con eso.", False),
        ("Je ne peux pas.", False),
        ("Es tut mir leid, das kann ich nicht.", False),
        ("Desculpe, não posso ajudar com isso.", False),
        ("No.", None),
        ("Sorry, no can do.", None),
        ("I can't help.", None),
        ("See https://example.com/de/la.", None),
    ],
)
def test_a_short_text_is_foreign_by_two_of_its_words(text: str, known: bool | None) -> None:
    assert english(pl.Series([text])).to_list() == [known]
