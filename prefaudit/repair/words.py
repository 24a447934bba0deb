"""What is said of a repair: the most important first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from prefaudit.repair import honest, ledger
from prefaudit.repair.choose import Reason
from prefaudit.repair.cut import Bools
from prefaudit.repair.result import Repair
from prefaudit.repair.session import Session

INWARD = (
    "rests on self-consistency: consensus is learned from this dataset's own labels, so what it drops is what they "
    "make unlikely, wrong or merely rare"
)
BY_LENS = (
    "rests on self-consistency: what a feature of the lens does to the choice is learned from this dataset's own "
    "labels, and a feature that decides may decide rightly"
)


def measured(work: Session, repair: Repair, reasons: Sequence[Reason], gone: Bools,
             turned: Bools | None = None) -> Repair:  # fmt: skip
    """The repair with what it does to the data, measured, and the sentences that say so."""
    inward = [r.code.startswith("lens.") for r in reasons if r.inward and len(r.rows)]
    said = [words for words, which in ((INWARD, False), (BY_LENS, True)) if which in inward]
    turned = np.zeros(len(gone), bool) if turned is None else turned
    told = honest.measure(work.evidence, gone, turned, [r.code for r in reasons], work.options.seed)
    said += told.pop("warnings", [])
    mute = [r["code"] for r in repair.rules if r["unjudged"] == repair.pairs.get("read") and not r["pairs"]]
    said += _scorers(work, repair, reasons)
    listed = [reason.code for reason in reasons if ledger.by_list(work.evidence, reason)]
    said += [f"{', '.join(listed)}: by {work.evidence.principles}"] if listed else []
    for reason in reasons:
        said += [f"{reason.code}: {note}" for note in reason.notes]
        if reason.unjudged and reason.code not in mute:
            said.append(f"{reason.code} could not judge {reason.unjudged:,} pairs; {reason.unknown}")
    said += told.pop("words", [])
    if mute:
        said.append(f"{', '.join(mute)} could judge no pair of this dataset, and took none")
    if repair.pairs.get("cannot_be_said"):
        said.append(
            f"{repair.pairs['cannot_be_said']:,} pairs stay because their answers have other comparisons in the same "
            "row; the ledger names them as kept"
        )
    if repair.pairs.get("cannot_be_flipped"):
        said.append(
            f"{repair.pairs['cannot_be_flipped']:,} labels stay as they are: the layout cannot turn them round alone; "
            "the ledger names them as kept"
        )
    if repair.pairs.get("written"):
        said.append(
            f"written are {repair.pairs['written']:,} copies, {repair.pairs['written_other']:,} of them with the other "
            "label: they repeat and contradict each other by design, so keep those of a pair in one split"
        )
    if repair.skipped:
        said.append(
            f"{repair.skipped:,} skipped rows gave no pair and are not written; the ledger gives the reason of each"
        )
    return replace(repair, words=(*said,), measured=told)


def _scorers(work: Session, repair: Repair, reasons: Sequence[Reason]) -> list[str]:
    """Whose strength it was, where the repair went by it: an earlier scan may have had other scorers."""
    used = repair.softened or any(r.code.startswith("STR") or "strength" in r.words for r in reasons)
    told = (work.evidence.audit.report.get("strength") or {}).get("scorers") or []
    names = [s["name"] for s in told if not s.get("silent")]
    return [f"strength is that of {', '.join(names)}"] if used and names else []


def table(repair: Repair, name: str, dry: bool = False) -> str:
    """The summary as text."""
    lines = [*repair.words[:1]]
    told = f"kept {repair.kept:,} + dropped {repair.dropped:,} + skipped {repair.skipped:,}"
    lines.append(f"read {repair.read:,} = {told}  (source rows)")
    pairs = repair.pairs
    if pairs:
        extra = f", flipped {repair.flipped:,}" if repair.flipped else ""
        extra += f", changed {repair.softened:,}" if repair.softened else ""
        extra += f", rows rewritten {pairs['rows_rewritten']:,}" if pairs.get("rows_rewritten") else ""
        lines.append(f"pairs {pairs['read']:,}: kept {pairs['kept']:,}, dropped {pairs['dropped']:,}{extra}")
    if repair.rules:
        lines.append("")
        lines.append(f"{'by':<9}{'pairs':>10}{'spared':>10}{'unjudged':>10}  what")
        shown = [r for r in repair.rules if r["pairs"] or r["spared"] or r["unjudged"]]
        rest = len(repair.rules) - len(shown)
        shown, rest = (list(repair.rules), 0) if rest == 1 else (shown, rest)  # one takes no more room by its name
        lines += [f"{r['code']:<9}{r['pairs']:>10,}{r['spared']:>10,}{r['unjudged']:>10,}  {r['words']}" for r in shown]
        if rest:
            lines.append(f"{'others':<9}{0:>10}{0:>10}{0:>10}  {rest} more rules")
    lines += ["", *repair.words[1:]] if len(repair.words) > 1 else []
    if dry:
        lines += ["", "dry run: nothing was written"]
    elif repair.out is not None:
        lines += ["", f"wrote {name} and its ledger {repair.ledger_path}"]
    else:
        lines += ["", "nothing was written"]
    return "\n".join(lines) + "\n"
