"""The pair sets of the shared data, and what is known of each."""

from __future__ import annotations

# path, layout, mapping, source rows, pairs, skipped, ties
SETS: list[tuple[str, str, dict[str, str], int, int, int, int]] = [
    ("hh-harmless/test.jsonl.gz", "hh", {}, 2312, 2312, 0, 0),
    ("alpaca-eval/gpt-3.5-turbo-0301.alpaca_eval_gpt4.annotations.json.gz", "alpaca-eval", {}, 805, 804, 1, 5),
    ("alpaca-eval/gpt-3.5-turbo-0301.alpaca_eval_gpt4_turbo_fn.annotations.json.gz", "alpaca-eval", {}, 805, 805, 0, 1),
    (
        "alpaca-eval/gpt-3.5-turbo-0301.weighted_alpaca_eval_gpt4_turbo.annotations.json.gz",
        "alpaca-eval",
        {},
        805,
        805,
        0,
        1,
    ),
    ("ultrafeedback-flips/clean.jsonl.gz", "trl", {}, 1000, 1000, 0, 0),
    ("ultrafeedback-flips/label_flip_20.jsonl.gz", "trl", {}, 1000, 1000, 0, 0),
    ("pandalm/testset-v1.json", "pandalm", {}, 999, 993, 6, 105),
    ("ukp-convarg/votes.parquet", "ukp-convarg", {}, 41750, 41750, 0, 9492),
    ("finegrained-rlhf/dev_feedback.json.gz", "finegrained-rlhf", {}, 500, 3000, 0, 384),
    ("ifbench-pairs/data.converted.json", "ifbench", {}, 444, 444, 0, 0),
    ("llamafactory-demo/dpo_en_demo.json", "sharegpt", {}, 300, 300, 0, 0),
    ("llamafactory-demo/dpo_zh_demo.json", "sharegpt", {}, 300, 300, 0, 0),
    ("llamafactory-demo/kto_en_demo.json", "kto-messages", {}, 300, 299, 0, 0),
    ("medicalgpt-dpo/dpo_zh_500.jsonl", "sharegpt", {}, 500, 500, 0, 0),
    ("medicalgpt-dpo/toolcall_dpo_zh_demo.jsonl", "sharegpt", {}, 11, 11, 0, 0),
    ("icai-synthetic/example.csv", "icai", {}, 1, 1, 0, 0),
    ("icai-synthetic/synthetic_data_aligned_vqvtb.csv", "icai", {}, 30, 30, 0, 0),
    ("icai-synthetic/synthetic_data_orthogonal_adcbg.csv", "icai", {}, 30, 30, 0, 0),
    ("icai-synthetic/synthetic_data_mixed_vqvtb_adcbg.csv", "icai", {}, 60, 60, 0, 0),
    ("icai-ff-format/example.csv", "icai", {}, 1, 1, 0, 0),
    ("icai-ff-format/annotated_pairs.json", "annotated-pairs", {}, 1, 1, 0, 0),
]
