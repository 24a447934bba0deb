"""The list of rules: found among decoys, worth what it says, one half under permuted labels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from prefaudit.core import RuleError
from prefaudit.principles import Principle, builtin, saved
from prefaudit.principles import constitution as chosen
from prefaudit.principles.evidence import Prior, factor
from prefaudit.principles.fits import grown, stable
from prefaudit.principles.likeness import apart, stands
from prefaudit.principles.path import Cast, Step, agreed, path
from prefaudit.principles.slices import disagreements, slices
from prefaudit.principles.weights import alike, logit

Drawn = tuple[pl.DataFrame, np.ndarray, float]


def drawn(n: int, seed: int, decoys: int = 40) -> Drawn:
    """Votes of five principles that decide the labels and of decoys correlated .6 with them, 15 % of all wrong."""
    rng = np.random.default_rng(seed)
    draw = lambda *shape: rng.choice([-1, 0, 1], shape, p=[0.3, 0.4, 0.3])  # noqa: E731
    true, weight = draw(n, 5), np.array([1.0, 0.9, 0.8, 0.7, 0.6])
    y = np.where(true @ weight > 0, 1.0, np.where(true @ weight < 0, 0.0, rng.integers(0, 2, n)))
    near = [np.where(rng.random(n) < 0.6, true[:, k % 5], draw(n)) for k in range(decoys)]
    votes = np.column_stack([true, *near]).astype(np.int8)
    wrong = rng.random(votes.shape) < 0.15
    votes[wrong] = (votes[wrong] + 1 + rng.integers(1, 3, int(wrong.sum()))) % 3 - 1
    names = [f"true{k}" for k in range(5)] + [f"decoy{k}" for k in range(decoys)]
    best = float(agreed(votes[:, :5] @ weight, y).mean())
    return pl.DataFrame(dict(zip(names, votes.T, strict=True))), y, best


@pytest.mark.parametrize("seed", range(3))
def test_five_principles_are_found_among_forty_decoys(seed: int) -> None:
    votes, y, best = drawn(2300, seed)
    found = chosen.choose(votes, y, np.arange(2300), seed)
    ids = [rule.id for rule in found.rules]
    assert {f"true{k}" for k in range(5)} <= set(ids)
    assert len(ids) <= 6
    assert found.held_out["agreement"] >= 0.95 * best
    assert found.held_out["interval"][0] < found.held_out["agreement"] < found.held_out["interval"][1]
    assert all(found.frequency[f"true{k}"] >= 0.5 for k in range(5))
    assert found.single["agreement"] < found.held_out["interval"][0]


def test_lists_of_folds_lose_what_parts_do_not_find_as_the_told_list_does() -> None:
    votes, y, _ = drawn(300, 0)
    found = chosen.choose(votes, y, np.arange(300), 0)
    before, after = [len(ids) for ids in found.selected], found.held_out["rules"]
    assert all(0 < kept <= grown for kept, grown in zip(after, before, strict=True))
    assert sum(after) < sum(before)


def test_labels_turned_at_random_are_not_foreseen() -> None:
    votes, _, _ = drawn(800, 0, decoys=20)
    group = np.arange(800) // 2
    holds = []
    for seed in range(10):
        y = np.random.default_rng(seed).integers(0, 2, 400).astype(float)[group]
        low, high = chosen.choose(votes, y, group, seed).held_out["interval"]
        holds.append(low <= 0.5 <= high)
    assert sum(holds) >= 9


def test_exchanging_the_answers_of_any_pair_changes_nothing() -> None:
    votes, y, _ = drawn(600, 1, decoys=5)
    turn = np.random.default_rng(5).integers(0, 2, 600) == 1
    back = votes.select(pl.when(pl.Series(turn)).then(-pl.col(name)).otherwise(pl.col(name)) for name in votes.columns)
    group = np.arange(600)
    one, other = chosen.choose(votes, y, group, 0), chosen.choose(back, np.where(turn, 1 - y, y), group, 0)
    assert one.rules == other.rules
    assert one.held_out == other.held_out
    assert np.allclose(other.score(back), np.where(turn, -1, 1) * one.score(votes))


def test_a_rule_that_is_there_twice_counts_once_and_a_reverse_is_told() -> None:
    votes, y, _ = drawn(600, 2, decoys=0)
    double = votes.with_columns(copy=pl.col("true0"), turned=-pl.col("true1"), none=pl.lit(None, pl.Int8)).drop("true1")
    found = chosen.choose(double, y, np.arange(600), 0)
    ids = [rule.id for rule in found.rules]
    assert ("true0" in ids) + ("copy" in ids) == 1
    assert next(rule.sign for rule in found.rules if rule.id == "turned") == -1
    assert next(entry for entry in found.stats if entry["id"] == "none")["n"] == 0


def test_silence_counts_one_half_and_ties_are_left_out() -> None:
    assert agreed(np.array([1.0, -1.0, 0.0, 2.0]), np.array([1.0, 1.0, 1.0, 0.5])).tolist() == [1.0, 0.0, 0.5, 0.5]
    votes, y, _ = drawn(400, 3, decoys=0)
    tied = np.concatenate([y, np.full(100, 0.5)])
    more = pl.concat([votes, votes.head(100)])
    assert chosen.choose(more, tied, np.arange(500), 0).n == 400


def test_too_few_groups_are_told() -> None:
    votes, y, _ = drawn(400, 3, decoys=0)
    found = chosen.choose(votes, y, np.arange(400) % 9, 0)
    assert found.rules == () and "10 groups" in found.note and len(found.stats) == 5


def test_the_next_rule_is_what_says_most_beyond_those_that_are_in() -> None:
    rng = np.random.default_rng(0)
    a = rng.choice([-1, 1], 2000)
    near = np.where(rng.random(2000) < 0.9, a, -a)
    b = rng.choice([-1, 1], 2000)
    y = (rng.random(2000) < 1 / (1 + np.exp(-1.5 * a - 0.4 * b))).astype(float)
    x = np.column_stack([near, b, a]).astype(np.float32)
    steps = path(Cast(x, y, np.arange(2000)), 3)
    assert [s.columns for s in steps] == [(), (2,), (2, 1)]
    assert np.allclose(steps[-1].weights, [1.5, 0.4], atol=0.2)
    assert np.allclose(logit(x[:, [2]], y), logit(x[:1000, [2]], y[:1000]), atol=0.4)


def test_rates_are_those_of_feedback_forensics() -> None:
    votes = pl.DataFrame({"p": [1, 1, -1, 0, None, 1, 0, 1]}, schema={"p": pl.Int8})
    y = np.array([1.0, 0, 1, 1, 1, 0.5, 0, 1])
    (told,) = chosen.rates(votes, y, np.arange(8))
    assert (told["n"], told["unjudged"], told["speaks"]) == (7, 1, 5)
    assert told["followed"] == pytest.approx(2 / 4)
    assert told["strength"] == pytest.approx((2 - 2) / 7)


def voices(n: int, seed: int) -> tuple[pl.DataFrame, np.ndarray, pl.Series]:
    """Two annotators: one follows p, the other goes against it; both follow q."""
    rng = np.random.default_rng(seed)
    votes = pl.DataFrame({"p": rng.choice([-1, 1], n), "q": rng.choice([-1, 1], n)}).cast(pl.Int8)
    who = pl.Series("name", np.where(np.arange(n) % 2 == 0, "ann", "bob"))
    lean = votes["p"].to_numpy() * np.where(np.arange(n) % 2 == 0, 1, -1) + votes["q"].to_numpy()
    return votes, (rng.random(n) < 1 / (1 + np.exp(-lean))).astype(float), who


def test_what_two_annotators_disagree_on() -> None:
    votes, y, who = voices(800, 0)
    rules = (chosen.Ruled("p", 1, 0.5), chosen.Ruled("q", 1, 1.0))
    ann, bob = slices(votes, y, np.arange(800), who, rules)
    assert ann["weights"]["p"] > 0.3 > -0.3 > bob["weights"]["p"]
    assert ann["weights"]["q"] > 0.3 and bob["weights"]["q"] > 0.3
    (only,) = disagreements(votes, y, np.arange(800), who)
    assert (only["id"], only["a"], only["b"]) == ("p", "ann", "bob")
    assert only["a_followed"] > 0.5 > only["b_followed"]
    mixed = who.sample(fraction=1, shuffle=True, seed=1)
    assert disagreements(votes, y, np.arange(800), mixed) == []
    assert slices(votes, y, np.arange(800), pl.Series("name", ["ann"] * 800), rules) == []


def test_a_constitution_is_read_as_it_was_written(tmp_path: Path) -> None:
    by_id = {p.id: p for p in (*builtin(), Principle("kind", "Select the response that is kind", "llm"))}
    rules = (chosen.Ruled("longer", -1, 0.7), chosen.Ruled("kind", 1, 0.2))
    at = tmp_path / "c.json"
    at.write_text(json.dumps(saved.written(rules, by_id, {"n": 3})))
    again, principles = saved.read(at)
    assert again == rules
    assert principles[0].sql == by_id["longer"].sql and principles[1].sql is None
    assert principles[0].told(-1) == "Select the response that is shorter"
    assert principles[1].told(-1) == "Do not select the response that is kind"


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "x"}, {"rules": []}, {"rules": [{"id": "a"}]}, {"rules": 3},
        {"rules": [{"id": "a", "sign": 2, "weight": 1, "text": "Select the response that is a"}]},
        {"rules": [{"id": "a", "sign": 1, "weight": 1, "text": "Select the response that is a", "sql": "1; drop"}]},
        {"rules": [{"id": "a", "sign": 1, "weight": "2", "text": "Select the response that is a"}]},
        {"rules": [{"id": "a", "sign": True, "weight": 1, "text": "Select the response that is a"}]},
    ],
)  # fmt: skip
def test_wrong_constitutions_are_refused(tmp_path: Path, change: dict[str, object]) -> None:
    by_id = {p.id: p for p in builtin()}
    good = saved.written((chosen.Ruled("longer", 1, 1.0),), by_id, {})
    at = tmp_path / "c.json"
    at.write_text(json.dumps({**good, **change}))
    with pytest.raises(RuleError, match=r"c\.json"):
        saved.read(at)


def copies(n: int, seed: int, five: int = 5, each: int = 8, decide: int = 5) -> np.ndarray:
    """(n, five * (1 + each)) votes for the chosen answer: principles, of which some decide labels, and their copies.

    A copy repeats a vote in six cases of ten and is drawn anew in the others; 15 % of all votes are wrong before.
    """
    rng = np.random.default_rng(seed)
    true = rng.choice([-1, 0, 1], (n, five), p=[0.4, 0.2, 0.4])
    sums = true[:, :decide].sum(1)
    label = np.where(sums != 0, np.sign(sums), rng.choice([-1, 1], n))
    said = np.where(rng.random((n, five)) < 0.15, rng.choice([-1, 0, 1], (n, five)), true)
    near = [
        np.where(rng.random(n) < 0.6, said[:, k % five], rng.permutation(said[:, k % five])) for k in range(five * each)
    ]
    return (np.column_stack([said, *near]) * label[:, None]).astype(np.float32)


@pytest.mark.parametrize("seed", range(5))
def test_what_others_are_likenesses_of_stands_for_them_told_from_votes_alone(seed: int) -> None:
    votes = copies(60, seed)
    head = stands(votes)
    assert head[:5].tolist() == [0, 1, 2, 3, 4]
    assert np.mean(head[5:] == np.arange(40) % 5) >= 0.9
    turned = np.random.default_rng(seed).choice([-1, 1], (60, 1))
    flipped = np.ones(45)
    flipped[7:20] = -1  # reverses of principles are likenesses as well
    assert (stands((votes * turned * flipped).astype(np.float32)) == head).all()
    order = np.random.default_rng(seed).permutation(45)
    assert (order[stands(votes[:, order])] == head[order]).all()


def test_a_principle_that_is_there_twice_changes_no_list() -> None:
    votes, twice = copies(200, 1), np.random.default_rng(0).random(200) < 0.02
    x = votes[:, :8]
    again = np.where(twice, 0, x[:, 1])
    assert apart(np.column_stack([x, again, -x[:, 2]])).tolist() == list(range(8))
    lists = []
    for columns in (x, np.column_stack([x, again, -x[:, 2]])):
        frame = pl.DataFrame({str(k): columns[:, k].astype(np.int8) for k in range(columns.shape[1])})
        made = chosen.choose(frame, np.ones(200), np.arange(200), 0)
        lists.append((made.rules, made.held_out, made.frequency))
    assert lists[0] == lists[1] and lists[0][0]


def test_a_list_of_one_rule_is_asked_of_parts_too_and_rare_votes_are_no_rules() -> None:
    cast = Cast(np.ones((100, 1), np.float32), np.ones(100), np.arange(100))
    one, none = Step((0,), (1.0,)), Step((), ())
    assert stable(cast, one, [one, none, none]).columns == () and stable(cast, one, [one, none]).columns == (0,)
    rare = np.zeros((100, 2), np.float32)
    rare[:4, 0] = rare[:5, 1] = 1
    assert 0 not in path(Cast(rare, np.ones(100), np.arange(100)), 2, whole=True)[-1].columns


def test_of_principles_that_overlap_alike_none_stands_for_another() -> None:
    rng = np.random.default_rng(0)
    one = rng.choice([-1, 1], 2000)
    alike = np.column_stack([np.where(rng.random(2000) < 0.8, one, -one) for _ in range(5)])
    alone = rng.choice([-1, 0, 1], (2000, 3))
    assert (stands(np.hstack([alike, alone]).astype(np.float32)) == np.arange(8)).all()
    assert (stands(np.column_stack([one, alike[:, 0]]).astype(np.float32)) == [0, 1]).all()
    assert (stands(np.zeros((10, 3), np.float32)) == np.arange(3)).all()


def test_sixty_pairs_name_five_principles_among_their_forty_copies() -> None:
    found = []
    for seed in range(4):
        votes = copies(60, seed)
        frame = pl.DataFrame({str(k): votes[:, k].astype(np.int8) for k in range(45)})
        found.append({int(rule.id) for rule in chosen.choose(frame, np.ones(60), np.arange(60), seed).rules})
    assert all(ids <= set(range(5)) for ids in found)
    assert np.mean([len(ids) for ids in found]) >= 4


def test_a_copy_comes_in_where_labels_surely_follow_it_and_not_what_it_copies() -> None:
    rng = np.random.default_rng(3)
    hub = rng.choice([-1, 1], 3000)
    near = [np.where(rng.random(3000) < 0.8, hub, rng.choice([-1, 1], 3000)) for _ in range(6)]
    x = np.column_stack([hub, *near]).astype(np.float32)
    assert (stands(x) == 0).all()
    y = (rng.random(3000) < 1 / (1 + np.exp(-1.5 * near[2]))).astype(float)
    assert path(Cast(x, y, np.arange(3000), stands(x)), 5)[1].columns == (3,)
    few = Cast(x[:40], y[:40], np.arange(40), stands(x))
    assert path(few, 5)[1].columns == (0,)  # forty pairs do not tell the copy from what it copies


def test_the_likeliest_list_by_its_factors_and_the_number_of_lists() -> None:
    prior = Prior.of(np.arange(5), np.ones(5, bool), 10)
    assert prior.likeliest([0.0, 1.0]) == 0 and prior.likeliest([0.0, 2.0]) == 1  # log 5 = 1.6
    assert prior.likeliest([0.0, 1.0, 2.0, 2.5, 2.5, 2.0]) == 5  # one list has all five
    copied = Prior.of(np.array([0, 0, 0, 0]), np.ones(4, bool), 10)
    assert copied.candidates == 1 and np.allclose(copied.dear, [0, *[np.log(3)] * 3])
    # Wakefield 2009: weight 0.8 with standard error 0.4 before a prior variance of a half.
    weight, error, slab = 0.8, 0.16, 0.5
    exact = 0.5 * (np.log(error / (error + slab)) + weight**2 / error * slab / (slab + error))
    assert factor(weight / np.sqrt(error), 1.0, 1 / error, 1e9) == pytest.approx(exact)
    assert factor(3.0, 1.0, 100.0, 5) < factor(3.0, 1.0, 100.0, 1e9)


def test_weights_are_of_one_size_unless_they_surely_differ() -> None:
    rng = np.random.default_rng(4)
    x = rng.choice([-1, 0, 1], (20_000, 4)).astype(np.float32)
    y = (rng.random(20_000) < 1 / (1 + np.exp(-x @ [0.8, 0.8, -0.8, 0.8]))).astype(float)
    own, drawn = logit(x[:60], y[:60]), alike(x[:60], y[:60])
    assert (np.sign(own) == np.sign(drawn)).all() and np.abs(drawn).std() < 0.3 * np.abs(own).std()
    assert np.allclose(alike(-x[:60], 1 - y[:60]), drawn)  # answers exchanged
    apart = (rng.random(20_000) < 1 / (1 + np.exp(-x @ [0.2, 0.5, -1.0, 2.0]))).astype(float)
    assert np.allclose(alike(x, apart), logit(x, apart), atol=0.01)
    assert np.allclose(alike(x[:, :1], y), logit(x[:, :1], y))


@pytest.mark.parametrize(("n", "length"), [(300, 2), (4000, 1)])
def test_lists_that_agree_in_all_of_few_pairs_are_not_surely_alike(n: int, length: int) -> None:
    rng = np.random.default_rng(1)
    longer = rng.choice([-1, 1], n)
    twice = np.where(rng.random(n) < 0.4, longer, 0)
    y = (rng.random(n) < 1 / (1 + np.exp(-0.8 * longer - 0.9 * twice))).astype(float)
    steps, step = grown(Cast(np.column_stack([longer, twice]).astype(np.float32), y, np.arange(n)), 0, 5)
    assert len(steps) == 3 and len(step.columns) == length  # the second rule turns no pair


def test_a_rule_that_decides_no_pair_is_left_out() -> None:
    rng = np.random.default_rng(0)
    longer = rng.choice([-1, 1], 4000)
    twice = np.where(rng.random(4000) < 0.4, longer, 0)
    y = (rng.random(4000) < 1 / (1 + np.exp(-0.5 * longer - 0.8 * twice))).astype(float)
    cast = Cast(np.column_stack([longer, twice]).astype(np.float32), y, np.arange(4000))
    steps = path(cast, 5)
    assert set(steps[-1].columns) == {0, 1}
    assert stable(cast, steps[-1], [steps[-1]]).columns == (0,)
