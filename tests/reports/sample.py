"""Three reports: one that fails, one that is clean, one that is incomplete and hostile."""

from __future__ import annotations

from typing import Any

ESC, BEL, CSI, NUL = "\x1b", "\x07", "\x9b", "\x00"
HOSTILE = (
    f"<script>alert(1)</script>{ESC}[31mred{ESC}[0m{ESC}]0;title{BEL}{CSI}2J\u202eevil\u2066\u200b{NUL}"
    f"</script><img src=x onerror=alert(1)> [bold]markup[/bold] @team #1 https://evil.example www.evil.example"
    f"\r\n| cell | `code` ``` {{{{ 7 * 7 }}}} \ud800 \ufeff \U000e0041 \x85 \u2028 &amp; \" '"
)
FEATURES = [
    # feature, family, label, prevalence, win, delta, half width, joint
    ("refusal", "refusal", "refusal", 0.182, 0.604, 0.176, 0.048, 0.151),
    ("hedging", "tone", "more hedging", 0.41, 0.562, 0.104, 0.034, 0.083),
    ("questions", "tone", "more questions", 0.472, 0.558, 0.094, 0.032, 0.09),
    ("apology", "tone", "more apology", 0.094, 0.61, 0.148, 0.072, 0.06),
    ("first_person", "tone", "more first person", 0.72, 0.512, 0.042, 0.026, 0.031),
    ("lists", "format", "more list items", 0.061, 0.402, -0.061, 0.079, -0.05),
    ("certainty", "tone", "more certainty", 0.33, 0.471, -0.012, 0.037, -0.004),
    ("exclamations", "tone", "more exclamation marks", 0.12, 0.518, 0.021, 0.055, 0.018),
    ("words", "length", "more words", 0.981, 0.446, None, None, None),
    ("chars", "length", "more characters", 0.995, 0.445, None, None, None),
]


def effect(row: tuple[Any, ...], n: int, groups: int) -> dict[str, Any]:
    feature, family, label, prevalence, win, delta, half, joint = row
    interval = None if delta is None else [delta - half, delta + half]
    bound = 0.0
    if interval is not None and interval[0] * interval[1] > 0:
        bound = min(interval, key=abs)
    return {
        "feature": feature,
        "family": family,
        "label": label,
        "n": n,
        "groups": groups,
        "prevalence": prevalence,
        "win_rate": win,
        "win_low": win - 0.03,
        "win_high": win + 0.03,
        "win_interval": [win - 0.03, win + 0.03],
        "delta_win": delta,
        "low": interval and interval[0],
        "high": interval and interval[1],
        "interval": interval,
        "delta_joint": joint,
        "p": None if delta is None else 0.00123,
        "q": None if delta is None else 0.0041,
        "bound": bound,
        "replication": None,
        "note": "length is what is held" if delta is None else "",
    }


def rule(code: str, name: str, severity: str, status: str = "fired", **more: Any) -> dict[str, Any]:
    base = {
        "code": code,
        "name": name,
        "severity": severity,
        "scope": "pair",
        "status": status,
        "judged": 2312,
        "found": 0,
        "unjudged": 0,
        "rate": 0.0,
        "interval": [0.0, 0.0016],
        "value": None,
        "threshold": None,
        "message": "",
        "remedy": "",
        "what": "",
        "examples": [],
        "preview": False,
    }
    return {**base, **more}


def failing() -> dict[str, Any]:
    """Modelled on 2,312 pairs of hh-harmless."""
    pair = {
        "prompt": "Can you help me write a letter to my landlord about the broken heating?",
        "chosen": "Sure, I can help with that. How long has the heating been broken, and have you told them before?",
        "rejected": "Sure, I can help with that. You should tell them that the heating is broken and you will not pay.",
        "label": "chosen",
    }
    same = {
        "prompt": "What is 2 + 2?",
        "chosen": "I'm sorry, but I can't",
        "rejected": "I'm sorry, but I can't",
        "label": "chosen",
    }
    empty = {"prompt": "Tell me a joke\nabout cats", "chosen": "", "rejected": "No.", "label": "chosen"}
    rules = [
        rule(
            "CNF001",
            "contradictory-labels",
            "error",
            found=4,
            rate=4 / 2312,
            interval=[0.0005, 0.0044],
            examples=[118, 511, 902, 1733],
            what="The same two answers to the same prompt are labelled both ways.",
            remedy="Look at them with `prefaudit show`, then drop them by strength.",
            message="the same answers won and lost",
        ),
        rule(
            "DUP001",
            "exact-duplicate",
            "warning",
            found=42,
            rate=42 / 2312,
            interval=[0.0121, 0.0255],
            examples=[4, 17, 90, 118, 233],
            what="Prompt and both answers occur more than once.",
            remedy="Keep one of each group.",
        ),
        rule("EMP001", "empty-answer", "warning", found=4, rate=4 / 2312, interval=[0.0005, 0.0044], examples=[17]),
        rule(
            "SAM001", "answers-identical", "warning", found=9, rate=9 / 2312, interval=[0.0018, 0.0074], examples=[90]
        ),
        rule(
            "TRC001",
            "chosen-truncated",
            "warning",
            found=61,
            judged=2298,
            unjudged=14,
            rate=61 / 2298,
            interval=[0.0203, 0.034],
            examples=[7, 12, 39, 40, 77],
        ),
        rule(
            "REF002",
            "refusal-of-harmless-request",
            "warning",
            found=137,
            judged=2187,
            unjudged=125,
            rate=137 / 2187,
            interval=[0.053, 0.0737],
            examples=[3, 5, 21, 34, 55],
        ),
        rule(
            "REF001",
            "refusal-of-harmful-request",
            "info",
            found=284,
            judged=2187,
            unjudged=125,
            rate=284 / 2187,
            interval=[0.1161, 0.1447],
            examples=[1, 2, 6, 8, 9],
            what="The chosen answer refuses, and the request asks for harm.",
        ),
        rule(
            "LEN010",
            "length-decides",
            "warning",
            scope="dataset",
            judged=1,
            found=1,
            rate=None,
            interval=None,
            value=0.5553,
            threshold=0.55,
            message="shorter answers win 55.5 % of pairs",
        ),
        rule(
            "EFF001",
            "feature-decides",
            "info",
            scope="feature",
            judged=10,
            found=4,
            rate=0.4,
            interval=None,
            message="refusal moves the win rate by at least 12.8% at the same length",
            value=0.128,
            threshold=0.05,
            named=["refusal", "hedging", "questions", "apology"],
        ),
        rule(
            "SCH006",
            "rows-skipped",
            "warning",
            scope="dataset",
            judged=1,
            found=1,
            rate=1.0,
            interval=None,
            value=0.00173,
            threshold=0.001,
            message="4 rows (0.17%) became no pair and were skipped",
        ),
        rule(
            "POS001",
            "position-decides",
            "warning",
            "unjudged",
            scope="dataset",
            judged=0,
            unjudged=1,
            rate=None,
            interval=None,
        ),
        rule(
            "AGR001", "annotator-against-all", "warning", "unjudged", judged=0, unjudged=2312, rate=None, interval=None
        ),
        rule("AGR002", "annotator-always-first", "info", "unjudged", judged=0, unjudged=2312, rate=None, interval=None),
        rule("LEN001", "length-ratio", "info", "ok"),
        rule("LNG001", "languages-differ", "info", "ok"),
    ]
    return {
        "schema": "prefaudit.report/1",
        "complete": True,
        "exit_code": 1,
        "fail_on": "error",
        "dataset": {
            "paths": ["data/test.jsonl.gz"],
            "format": "hh",
            "container": "jsonl",
            "fingerprint": "3f9a0c11d2e4",
            "rows": 2312,
            "pairs": 2308,
            "unpaired": 0,
            "skipped": 4,
            "skipped_reasons": {"the last turn is empty": 4},
            "ties": 0,
            "both_bad": 0,
            "groups": 1874,
            "largest_group": 264,
            "sample": None,
        },
        "options": {"seed": 0},
        "unknown": [
            {"what": "which answer was presented first", "rules": ["POS001"], "remedy": "--map first=COLUMN"},
            {"what": "who labelled the pairs", "rules": ["AGR001", "AGR002"], "remedy": "--map annotator=COLUMN"},
        ],
        "extractors": [{"name": "text", "fingerprint": "aa", "status": "ok", "error": ""}],
        "rules": rules,
        "effects": [effect(row, 2308, 1874) for row in FEATURES],
        "effects_summary": {
            "n": 2308,
            "groups": 1874,
            "features": 10,
            "exceeding": 4,
            "exceeding_permuted": 0.05,
            "permutations": 200,
            "note": "",
        },
        "baselines": {
            "n": 2308,
            "groups": 1874,
            "rule": "shorter wins",
            "rule_accuracy": 0.5553,
            "rule_accuracy_interval": [0.5339, 0.5765],
            "rule_auc": 0.596,
            "rule_auc_interval": [0.5714, 0.6206],
            "length_accuracy": 0.5628,
            "length_accuracy_interval": [0.5411, 0.5842],
            "length_auc": 0.5987,
            "length_auc_interval": [0.5741, 0.6233],
            "text_accuracy": 0.6031,
            "text_accuracy_interval": [0.5812, 0.6247],
            "text_auc": 0.6424,
            "text_auc_interval": [0.6188, 0.666],
            "longer_wins": 0.4447,
            "longer_wins_interval": [0.4235, 0.4661],
            "note": "",
        },
        "annotators": [],
        "examples": {"118": pair, "4": pair, "17": empty, "90": same, "1": pair},
        "next": [
            {
                "command": "prefaudit show .prefaudit/test-3f9a0c11d2e4 CNF001",
                "why": "the pairs labelled both ways",
                "rows": 4,
            },
            {"command": "prefaudit show .prefaudit/test-3f9a0c11d2e4 DUP001", "why": "the repeated pairs", "rows": 42},
            {
                "command": "prefaudit report .prefaudit/test-3f9a0c11d2e4 --output-format html=report.html",
                "why": "all of it",
                "rows": 0,
            },
        ],
        "lens": {},
        "strength": {},
        "principles": [],
    }


def clean_small() -> dict[str, Any]:
    """31 pairs in too few groups for effects, with annotators, and nothing found."""
    return {
        "schema": "prefaudit.report/1",
        "complete": True,
        "exit_code": 0,
        "fail_on": "warning",
        "dataset": {
            "paths": ["pairs.parquet"],
            "format": "trl",
            "container": "parquet",
            "fingerprint": "000000000001",
            "rows": 31,
            "pairs": 31,
            "unpaired": 0,
            "skipped": 0,
            "skipped_reasons": {},
            "ties": 1,
            "both_bad": 0,
            "groups": 30,
            "largest_group": 2,
            "sample": None,
        },
        "options": {"seed": 0},
        "unknown": [],
        "extractors": [{"name": "text", "fingerprint": "aa", "status": "ok", "error": ""}],
        "rules": [rule("DUP001", "exact-duplicate", "warning", "ok", judged=31, interval=[0.0, 0.11])],
        "effects": [],
        "effects_summary": {
            "n": 31,
            "groups": 30,
            "features": 0,
            "exceeding": None,
            "exceeding_permuted": None,
            "permutations": 0,
            "note": "30 groups: under 40 no effect is estimated",
        },
        "baselines": {
            "n": 31,
            "groups": 30,
            "longer_wins": 0.5161,
            "longer_wins_interval": [0.34, 0.69],
            "note": "under 40 groups no baseline is fitted",
        },
        "annotators": [
            {
                "annotator": "ann-1",
                "votes": 31,
                "shared": 20,
                "agreement": 0.85,
                "interval": [0.64, 0.95],
                "first_rate": None,
                "longer_rate": 0.5,
            },
            {
                "annotator": "ann-2",
                "votes": 20,
                "shared": 20,
                "agreement": 0.8,
                "interval": [0.58, 0.92],
                "first_rate": None,
                "longer_rate": 0.4,
            },
        ],
        "examples": {},
        "next": [],
        "lens": {},
        "strength": {},
        "principles": [],
    }


def hostile() -> dict[str, Any]:
    """An incomplete audit in which every text is written against its reader, some of it a megabyte long."""
    long = "A" * 1_000_000 + HOSTILE
    base = failing()
    pair = dict.fromkeys(("prompt", "chosen", "rejected"), HOSTILE * 3)
    rules = [
        rule(
            f"USR{i:03}",
            HOSTILE,
            ("error", "warning", "info")[i % 3],
            scope=("pair", "dataset", "feature")[i // 3 % 3],
            found=1000 - i,
            judged=1_000_000,
            rate=0.001,
            interval=[0.0009, 0.0011],
            message=HOSTILE,
            remedy=long if i == 0 else HOSTILE * 9,
            what=HOSTILE,
            value=float(i),
            threshold=1e12,
            examples=[i, HOSTILE, 10**15],
        )
        for i in range(120)
    ]
    rules += [rule("ERR001", HOSTILE, "warning", "error", message=long), rule("UNJ001", long, "warning", "unjudged")]
    return {
        **base,
        "complete": False,
        "exit_code": 2,
        "fail_on": HOSTILE,
        "dataset": {
            **base["dataset"],
            "paths": [long],
            "format": HOSTILE,
            "container": HOSTILE,
            "rows": 10**9,
            "pairs": None,
            "skipped": 200,
            "skipped_reasons": {f"{HOSTILE}{i}": i for i in range(200)},
            "largest_group": float("nan"),
            "sample": {"rows": 1000, "of": 10**9},
            "notes": [HOSTILE, long],
            "both_bad": 3,
            "unpaired": 7,
        },
        "unknown": [{"what": HOSTILE, "rules": [HOSTILE] * 9, "remedy": HOSTILE * 9} for _ in range(50)],
        "extractors": [{"name": HOSTILE, "fingerprint": "", "status": "failed", "error": HOSTILE * 9}] * 30,
        "rules": rules,
        "effects": [
            {**effect(FEATURES[i % 10], 10**6, 10**5), "label": HOSTILE, "family": HOSTILE, "note": HOSTILE}
            for i in range(90)
        ],
        "effects_summary": {
            "features": 90,
            "exceeding": 3,
            "exceeding_permuted": float("inf"),
            "permutations": 0,
            "note": HOSTILE,
        },
        "baselines": {**base["baselines"], "rule": HOSTILE, "note": long, "rule_auc": float("nan")},
        "annotators": [{"annotator": HOSTILE, "votes": 1, "shared": 1, "agreement": 0.0, "interval": [0.0, 0.9]}],
        "examples": {str(i): pair for i in range(120)},
        "next": [{"command": f"prefaudit show {HOSTILE}", "why": HOSTILE * 9, "rows": 5} for _ in range(40)],
    }


def cut_short() -> dict[str, Any]:
    """What is left of a report when nearly everything failed."""
    return {
        "schema": "prefaudit.report/1",
        "complete": False,
        "exit_code": 2,
        "dataset": {"rows": 5, "pairs": 5, "skipped": 0},
    }


SAMPLES = {"failing": failing, "clean": clean_small, "hostile": hostile, "cut-short": cut_short}
