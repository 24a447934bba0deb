"""Near-duplicate answers: against counting out, whatever the order and the parts, and texts that are no fun."""

import time

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefaudit.core import Extractor
from prefaudit.extractors import _near, _sketch
from prefaudit.extractors.duplicates import Duplicates
from prefaudit.extractors.groups import Groups
from prefaudit.extractors.near import Near
from prefaudit.store import spill
from tests.extractors.test_groups import frame, parts

LONG = "the keeper of the old lighthouse found a letter in a green bottle on the beach one cold morning in may"


def near(made, size=10**9, **options):
    extractor = Near(**options)
    out = extractor.load(extractor.fit(parts(made, size), 0))(made.select("row"))
    assert dict(out.schema) == {"row": pl.Int64, **extractor.columns} and out["row"].equals(made["row"])
    return out


def told(rows, **options):
    out = near(frame(rows), **options)
    return [tuple(v and (v["group"], v["row"], round(v["jaccard"][1], 3)) for v in row[1:]) for row in out.iter_rows()]


def counted(a, b, n):
    sets = [
        {tuple(words[i : i + n]) for i in range(len(words) - n + 1)} for words in (a.lower().split(), b.lower().split())
    ]
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


def test_it_is_an_extractor():
    assert isinstance(Near(), Extractor)


def test_an_answer_and_its_variant_whichever_side_they_stand_on():
    rows = [("p", LONG, "no"), ("q", "yes", LONG.replace("green", "brown")), ("r", LONG, "other")]
    like = round(counted(LONG, rows[1][2], 2), 3)
    assert told(rows) == [((0, 1, like), None), (None, (0, 0, like)), ((0, 1, like), None)]


def test_equal_answers_and_the_two_of_one_pair_are_not_near():
    assert told([("p", LONG, "no"), ("q", LONG, "no")]) == [(None, None)] * 2
    assert told([("p", LONG, LONG + " again"), ("q", "a", "b")]) == [(None, None)] * 2


def test_less_alike_has_a_number_and_no_group():
    other = LONG.replace("keeper", "owner").replace("letter", "coin").replace("may", "june")
    like = counted(LONG, other, 2)
    assert 0.5 < like < 0.7
    assert told([("p", LONG, "no"), ("q", other, "no")]) == [
        ((None, 1, round(like, 3)), None),
        ((None, 0, round(like, 3)), None),
    ]
    assert told([("p", LONG, "no"), ("q", other, "no")], alike=0.5)[0][0][0] == 0


def varied(seed, n=120):
    """Texts of 20 to 60 words and for each one with some words changed."""
    rng = np.random.default_rng(seed)
    vocabulary = np.array([f"word{k}" for k in range(3000)])
    rows = []
    for k in range(n):
        words = list(rng.choice(vocabulary, rng.integers(20, 60)))
        changed = list(words)
        for at in rng.choice(len(words), max(1, len(words) // 20), replace=False):
            changed[at] = f"changed{k}"
        rows += [(f"p{k}", " ".join(words), f"a{k}"), (f"q{k}", f"b{k}", " ".join(changed))]
    return rows


@pytest.mark.parametrize("seed", [1, 2])
def test_what_is_said_is_exact_and_nearly_all_is_found(seed):
    rows = varied(seed)
    found = 0
    for row in near(frame(rows)).iter_rows(named=True):
        side, other = ("chosen", 2) if row["row"] % 2 == 0 else ("rejected", 1)
        said = row[f"near_{side}"]
        if said is None:
            continue
        found += said["row"] == row["row"] ^ 1
        mine, there = rows[row["row"]][3 - other], rows[said["row"]][other]
        assert said["jaccard"] == pytest.approx([counted(mine, there, n) for n in (1, 2, 3)], abs=1e-6)
    assert found >= 0.98 * len(rows)


@pytest.mark.parametrize("size", [1, 7, 50])
def test_parts_change_nothing(size):
    made = frame(varied(3, 30))
    assert near(made, size).equals(near(made))


def test_swapping_sides_and_reordering_rows():
    made = frame(varied(4, 40))
    whole = near(made)
    turned = made.rename(
        {"chosen": "rejected", "rejected": "chosen", "hash_chosen": "hash_rejected", "hash_rejected": "hash_chosen"}
    )
    assert near(turned).select("row", near_chosen="near_rejected", near_rejected="near_chosen").equals(whole)
    order = np.random.default_rng(0).permutation(made.height)
    moved = near(made[order].with_columns(row=pl.int_range(pl.len())))
    place = np.argsort(order)
    for name in whole.columns[1:]:
        here, there = moved[name].struct.unnest()[place], whole[name].struct.unnest()
        assert here["jaccard"].equals(there["jaccard"])
        assert here["group"].is_null().equals(there["group"].is_null())


def test_texts_that_say_little():
    rows = [
        ("p", text, other)
        for text in ("", "word", None, "one two three four five")
        for other in ("", None, "word", " ")
    ]
    assert told(rows) == [(None, None)] * len(rows)
    assert near(frame([])).height == 0


def test_chinese_has_no_spaces():
    one = "我们昨天在海边的灯塔旁边发现了一个装着信的绿色瓶子"
    rows = [
        ("p", one, "x"),
        ("q", one.replace("绿", "蓝"), "y"),
        ("r", "今天的天气非常好我们应该去公园里散步和喝茶", "z"),
    ]
    found = told(rows)
    assert found[0][0][1] == 1 and found[1][0][1] == 0 and found[2][0] is None


def test_a_long_line():
    words = [f"w{k}" for k in range(150_000)]
    rows = [
        ("p", " ".join(words), "x"),
        ("q", " ".join([*words[:-100], *["z"] * 100]), "y"),
        ("r", "x" * 1_000_000, "z"),
    ]
    found = told(rows)
    assert found[0][0][2] == pytest.approx(0.999, abs=0.001) and found[2] == (None, None)


def test_many_equal_rows_take_seconds():
    made = frame([("What is the capital of Peru?", LONG, LONG.upper())]).drop("row")
    made = pl.concat([made] * 100_000).with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))
    start = time.process_time()
    for extractor in (Groups(), Duplicates(), Near()):
        state = extractor.fit(parts(made, 32_768), 0)
        out = extractor.load(state)(made.head(3).select("row", *extractor.reads))
        assert out.height == 3
    assert time.process_time() - start < 10


def sketched(texts: pl.Series) -> _near.Sketches:
    found = _near.Sketches()
    found.add(*_sketch.shingles(*_sketch.words(texts)), seed=0)
    return found


def test_a_thousand_variants_of_one_text_are_compared_side_by_side():
    texts = pl.Series([f"{LONG} and then number {k} came" for k in range(2000)])
    pairs = _near.candidates(sketched(texts))
    assert len(pairs) <= 2000 * _sketch.BANDS + 8 * _sketch.BANDS * 2000
    found = _near.Verified(pairs, 2000, lambda at: _near.words_of(iter([texts.gather(at)])))
    links = _near.Links(len(found.texts), 0.7)
    for near in found.kept():
        links.add(near)
    near, sets = links.told()
    assert len(near.left) > 1990 and (sets == 0).mean() > 0.99


@given(st.lists(st.lists(st.sampled_from([0, 1, 2, 3, 2**32 - 2, 2**32 - 1]), max_size=9), max_size=9), st.data())
def test_sets_and_what_they_share_are_those_of_python(runs, data):
    tokens = np.array([x for run in runs for x in run], np.uint32)
    offsets = np.concatenate([[0], np.cumsum([len(run) for run in runs])]).astype(np.int64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_near, "_GRID", 8)
        held, sizes = _near._sets(tokens, offsets)
        numbers = st.lists(st.integers(0, max(len(runs) - 1, 0)), min_size=5 * bool(runs), max_size=5 * bool(runs))
        left, right = (np.array(data.draw(numbers), np.int64) for _ in range(2))
        value = _near.jaccard(tokens, offsets, left, right)
    assert held.tolist() == [x for run in runs for x in sorted(set(run))]
    assert sizes.tolist() == [len(set(run)) for run in runs]
    both = [(set(runs[a]), set(runs[b])) for a, b in zip(left, right, strict=True)]
    assert value.tolist() == [np.float32(len(a & b) / max(len(a | b), 1)) for a, b in both]


def test_candidates_are_read_in_blocks(monkeypatch):
    made = frame(varied(6, 60))
    whole = near(made)
    monkeypatch.setattr(spill, "RANGE", 100)
    monkeypatch.setattr(spill, "BLOCK", 37)
    monkeypatch.setattr(_near, "_FILED", 16)
    monkeypatch.setattr(spill, "GAP", 2)
    monkeypatch.setattr(spill, "HELD", 400)
    monkeypatch.setattr(_near, "_GRID", 64)
    monkeypatch.setattr(_near, "_WORDS", 300)
    monkeypatch.setattr(_near, "_PAIRS", 50)
    monkeypatch.setattr(_sketch, "_BYTES", 500)
    assert near(made, 16).equals(whole)


def test_marks_rule_out_no_pair_that_is_alike():
    texts = pl.Series([text for _, *both in varied(8, 60) for text in both if len(text) > 9])
    left, right = np.triu_indices(len(texts), 1)
    pairs = (left.astype(np.uint64) << np.uint64(32)) | right.astype(np.uint64)
    likely = sketched(texts).likely(pairs)
    value = _near.jaccard(*_sketch.shingles(*_sketch.words(texts)), left, right)
    assert (value[~likely] < 0.5).all()
    assert 0 < (value >= 0.5).sum() <= likely.sum() < len(left) / 2
