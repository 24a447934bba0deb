"""How a scan grows: CPU, memory and disk by stage and size, two workers against one, and what it makes of faults.

usage: python benchmarks/scale.py grow FILE... [--with GROUPS] [--workers N] [--repeats N] [--out RESULTS.json]
       python benchmarks/scale.py table RESULTS.json...       medians, exponents, the slope carried to 15 M and 100 M
       python benchmarks/scale.py workers FILE [--repeats 3]  wall time of one worker and of two
       python benchmarks/scale.py kills FILE [--kills 50]     random kills -9 against an undisturbed run
       python benchmarks/scale.py stops FILE [--kills 20]     ctrl-C at random moments: seconds to the end, what is left
       python benchmarks/scale.py ray FILE                    a Ray cluster of three nodes that loses one twice

FILE: pairs as shared/bench/make_pairs.py --distinct writes them. Every size runs in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

HERE = Path(__file__).resolve()
TARGETS = (15_000_000, 100_000_000)
LEAST = 300_000  # pairs from which what starting takes counts for little


def used() -> float:
    """CPU seconds of this process, of children that ended, and of those that run."""
    known = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    total = sum(u.ru_utime + u.ru_stime for u in known)
    ticks = os.sysconf("SC_CLK_TCK")
    for child in Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split():
        try:
            fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += (int(fields[11]) + int(fields[12])) / ticks
    return total


def peak() -> float:
    """Peak resident MB of this process since `forget`, and of each worker that runs."""
    found = 0.0
    for pid in ["self", *Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()]:
        try:
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        except OSError:
            continue
        found += next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)
    return found


def forget() -> None:
    """Begin a new peak."""
    for pid in ["self", *Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()]:
        try:
            Path(f"/proc/{pid}/clear_refs").write_text("5")
        except OSError:
            continue


def one(path: str, groups: str, workers: int) -> dict[str, Any]:
    """One scan in this process: by stage CPU seconds, wall seconds, peak MB; MB of the audit folder."""
    from prefaudit.audit import run
    from prefaudit.config import Options
    from prefaudit.core import Progress

    stages: dict[str, dict[str, float]] = {}
    begun: list[tuple[str, float, float]] = []

    def start(name: str, total: int | None) -> None:
        forget()
        begun.append((name.partition(":")[0], used(), time.perf_counter()))

    def done() -> None:
        name, cpu, wall = begun.pop()
        stage = stages.setdefault(name, {"cpu": 0.0, "wall": 0.0, "peak": 0.0})
        stage["cpu"] += used() - cpu
        stage["wall"] += time.perf_counter() - wall
        stage["peak"] = max(stage["peak"], peak())
        forget()

    began, wall = used(), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "audit"
        options = Options(with_=tuple(groups.split(",")) if groups else (), workers=workers)
        audit = run(path, out, options, progress=Progress(start=start, done=done))
        total = {"cpu": used() - began, "wall": time.perf_counter() - wall,
                 "peak": max([stage["peak"] for stage in stages.values()] + [peak()])}  # fmt: skip
        rest = {"cpu": total["cpu"] - sum(s["cpu"] for s in stages.values()),
                "wall": total["wall"] - sum(s["wall"] for s in stages.values()), "peak": peak()}  # fmt: skip
        disk = {kind: sum(p.stat().st_size for p in (out / kind).rglob("*") if p.is_file()) / 1e6
                for kind in ("pairs", "features")}  # fmt: skip
        disk["all"] = sum(p.stat().st_size for p in out.rglob("*") if p.is_file()) / 1e6
        pairs, alike = audit.report["dataset"]["pairs"], _alike(audit.features())
    about = {"file": Path(path).name, "pairs": pairs, "with": groups or "default", "workers": workers}
    return {**about, "source": Path(path).stat().st_size / 1e6, "disk": disk,
            "alike": alike, "stages": {**stages, "the rest": rest, "all": total}}  # fmt: skip


def _alike(features: pl.LazyFrame) -> dict[str, float]:
    """The share of pairs whose prompt, or answer, is nearly another one's."""
    there = features.collect_schema().names()
    told = {"prompt": pl.col("near_prompt").struct.field("row").is_not_null().mean()} if "near_prompt" in there else {}
    told |= {f"{side} answer": pl.col(f"near_{side}").is_not_null().mean() for side in ("chosen", "rejected")
             if f"near_{side}" in there}  # fmt: skip
    return features.select(**told).collect().to_dicts()[0] if told else {}


def grow(paths: list[str], groups: str, workers: int, repeats: int, out: Path) -> None:
    """Every size in turn, so often; a file named more than once is run so much more often a turn."""
    results = []
    for path in paths * repeats:
        command = [sys.executable, str(HERE), "one", path, "--with", groups, "--workers", str(workers)]
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "POLARS_MAX_THREADS": str(workers)}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        results.append({**json.loads(done.stdout.splitlines()[-1]), "load": os.getloadavg()[0]})
        out.write_text(json.dumps(results, indent=1))
        print(json.dumps(results[-1]), file=sys.stderr, flush=True)


def table(paths: list[str]) -> None:
    """A row a stage: medians of CPU seconds and peak MB at each size, the exponent, and the seconds carried on."""
    runs = [run for path in paths for run in json.loads(Path(path).read_text())]
    sizes = np.array(sorted({run["pairs"] for run in runs}), float)
    stages = list(runs[-1]["stages"])

    def medians(stage: str, what: str) -> NDArray[np.float64]:
        return np.array([np.median([r["stages"][stage][what] for r in runs if r["pairs"] == n]) for n in sizes])

    cpu, peaks = ({stage: medians(stage, what) for stage in stages} for what in ("cpu", "peak"))
    print("runs of each size: " + ", ".join(f"{n:,.0f}: {sum(r['pairs'] == n for r in runs)}" for n in sizes) + "\n")
    said = " | ".join(f"{n:,.0f}" for n in sizes)
    carried = " | ".join(f"{n:,} (projected)" for n in TARGETS)
    print(f"| stage | CPU s: {said} | exponent | from {LEAST:,} on | {carried} | peak MB: {said} | ratio |")
    print("|---" * (2 * len(sizes) + len(TARGETS) + 4) + "|")
    some = sizes >= LEAST
    for stage in stages:
        logs = np.log(sizes), np.log(np.maximum(cpu[stage], 1e-3))
        all_, slope = (np.polyfit(*(x[which] for x in logs), 1)[0] for which in (some | True, some))
        hours = [cpu[stage][-1] * (n / sizes[-1]) ** max(slope, 1.0) / 3600 for n in TARGETS]
        ratio = peaks[stage][-1] / peaks[stage][some][0]
        row = [*map(_short, cpu[stage]), f"{all_:.2f}", f"{slope:.2f}", f"{hours[0]:.2f} h", f"{hours[1]:.1f} h",
               *(f"{peak:.0f}" for peak in peaks[stage]), f"{ratio:.2f}"]  # fmt: skip
        print(f"| {stage} | {' | '.join(row)} |")
    if len(sizes) > 2:
        foreseen = 0.0
        for stage in stages[:-1]:
            slope = np.polyfit(np.log(sizes[:-1]), np.log(np.maximum(cpu[stage][:-1], 1e-3)), 1)[0]
            foreseen += cpu[stage][-2] * (sizes[-1] / sizes[-2]) ** slope
        print(f"\nprojected for {sizes[-1]:,.0f} by each stage's line through the smaller sizes: {foreseen:.0f} CPU s, "
              f"measured {cpu['all'][-1]:.0f}")  # fmt: skip
    for name in runs[-1].get("alike", ()):
        found = {r["pairs"]: r["alike"][name] for r in runs if "alike" in r}
        said = ", ".join(f"{n:,}: {100 * x:.1f} %" for n, x in sorted(found.items()))
        print(f"\npairs whose {name} is nearly another one: {said}")
    per = runs[-1]["disk"]["all"] / runs[-1]["pairs"]
    told = ", ".join(f"{n / 1e6:.0f} M: {per * n / 1e3:,.0f} GB" for n in TARGETS)
    print(f"\naudit folder: {per * 1e3:.2f} KB a pair, projected {told}")


def _short(seconds: float) -> str:
    return f"{seconds:.2f}" if seconds < 1 else f"{seconds:.1f}"


def compared(one_folder: Path, other: Path) -> list[str]:
    """Names of files that differ or are missing, but for run.json and the lock."""
    files = [{str(p.relative_to(f)): p.read_bytes() for p in f.rglob("*")
              if p.is_file() and p.name not in ("run.json", ".lock")} for f in (one_folder, other)]  # fmt: skip
    return sorted(name for name in files[0].keys() | files[1].keys() if files[0].get(name) != files[1].get(name))


def command(path: str, out: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "prefaudit", "scan", path, "-o", str(out), "-q", "--fail-on", "never", *more]


def workers(path: str, groups: str, repeats: int) -> None:
    """Wall and CPU seconds of the stage that reads and measures, and of the whole scan."""
    for count in (1, 2) * repeats:
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "POLARS_MAX_THREADS": str(count)}
        call = [sys.executable, str(HERE), "one", path, "--with", groups, "--workers", str(count)]
        done = subprocess.run(call, capture_output=True, text=True, check=True, env=environment)
        stages = json.loads(done.stdout.splitlines()[-1])["stages"]
        print(json.dumps({"workers": count, "load": os.getloadavg()[0], "text stage": stages["read and measure"],
                          "all": stages["all"]}), flush=True)  # fmt: skip


def kills(path: str, groups: str, count: int, seed: int) -> None:
    """Kill the scan, or one of its workers, at random moments until `count` have fallen; then compare."""
    rng, done, hit = random.Random(seed), 0, {}
    environment = {**os.environ, "PREFAUDIT_PART_ROWS": "500"}
    with tempfile.TemporaryDirectory() as folder:
        calm, wild = Path(folder) / "calm", Path(folder) / "wild"
        more = ["--with", groups] if groups else []
        began = time.perf_counter()
        subprocess.run(command(path, calm, "--workers", "1", *more), check=True, env=environment)
        whole = time.perf_counter() - began
        while done < count:
            process = subprocess.Popen(command(path, wild, "--workers", "2", *more), env=environment)
            time.sleep(rng.uniform(0.15, 1.0) * whole)
            if process.poll() is not None:
                shutil.rmtree(wild)
                whole *= 0.95
                continue
            victims = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            worker = bool(victims) and rng.random() < 0.5
            os.kill(int(rng.choice(victims)) if worker else process.pid, signal.SIGKILL)
            stage = "worker" if worker else _stage(wild)
            hit[stage] = hit.get(stage, 0) + 1
            done += 1
            if worker:
                time.sleep(rng.uniform(0, 0.3) * whole)
                process.kill()
            process.wait()
        subprocess.run(command(path, wild, "--workers", "2", *more), check=True, env=environment)
        print(json.dumps({"kills": done, "while": hit, "differ": compared(calm, wild)}))


def _stage(folder: Path) -> str:
    if not (folder / "pairs/complete.json").exists():
        return "reading and measuring" if (folder / "pairs").exists() else "opening"
    return "judging" if (folder / "stats").exists() else "learning and effects"


def stops(path: str, groups: str, count: int, seed: int) -> None:
    """Ctrl-C at random moments of a scan, with one worker and with two in turns, as a terminal sends it: to all."""
    rng, more = random.Random(seed), ["--with", groups] if groups else []
    with tempfile.TemporaryDirectory() as folder:
        temporary, wild = Path(folder) / "temporary", Path(folder) / "wild"
        temporary.mkdir()
        environment = {**os.environ, "TMPDIR": str(temporary), "PREFAUDIT_PART_ROWS": "500"}
        began = time.perf_counter()
        subprocess.run(command(path, wild, *more), check=True, env=environment)
        whole, took, wrong = time.perf_counter() - began, [], 0
        while len(took) < count:
            shutil.rmtree(wild)
            call = command(path, wild, "--workers", str(1 + len(took) % 2), *more)
            process = subprocess.Popen(call, env=environment, start_new_session=True, stderr=subprocess.PIPE)
            time.sleep(rng.uniform(0.05, 0.95) * whole)
            if process.poll() is None:
                began = time.perf_counter()
                os.killpg(process.pid, signal.SIGINT)
                said = process.communicate()[1].decode()
                took.append(round(time.perf_counter() - began, 2))
                left = [str(p) for p in (*temporary.iterdir(), *wild.rglob(".*.tmp"))]
                if process.returncode != 2 or left or "interrupted" not in said:
                    wrong += 1
                    print(json.dumps({"code": process.returncode, "left": left, "said": said[-500:]}), flush=True)
            wild.mkdir(exist_ok=True)
        print(json.dumps({"stops": count, "wrong": wrong, "over two seconds": sum(s > 2 for s in took),
                          "seconds": sorted(took), "load": os.getloadavg()[0]}))  # fmt: skip


def ray(path: str, groups: str) -> None:
    """A cluster of a head without cores and four nodes of one; a node is lost while parts are under way, twice."""
    import ray as library
    from ray.cluster_utils import Cluster

    import prefaudit

    options: dict[str, Any] = {"fail_on": "never", "part_rows": 500}
    if groups:
        options["with_"] = groups.split(",")
    with tempfile.TemporaryDirectory() as folder:
        calm, wild = Path(folder) / "calm", Path(folder) / "wild"
        prefaudit.scan(path, calm, workers=1, **options)
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
        nodes = [cluster.add_node(num_cpus=1) for _ in range(4)]
        lost: list[int] = []

        def lose() -> None:
            for after in (3, 12):
                while len(list((wild / "pairs").glob("part-*"))) < after:
                    time.sleep(0.05)
                cluster.remove_node(nodes.pop(), allow_graceful=False)
                lost.append(len(list((wild / "pairs").glob("part-*"))))

        thread = threading.Thread(target=lose, daemon=True)
        thread.start()
        library.init(address=cluster.address, log_to_driver=False)
        prefaudit.scan(path, wild, runner="ray", workers=4, **options)
        thread.join(30)
        parts = len(list((wild / "pairs").glob("part-*")))
        print(json.dumps({"parts": parts, "lost at part": lost, "differ": compared(calm, wild)}))
        library.shutdown()
        cluster.shutdown()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("grow", "one", "table", "workers", "kills", "stops", "ray"))
    parser.add_argument("files", nargs="+")
    parser.add_argument("--with", dest="groups", default="text")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("scale.json"))
    args = parser.parse_args()
    first = args.files[0]
    if args.what == "one":
        print(json.dumps(one(first, args.groups, args.workers)))
    elif args.what == "grow":
        grow(args.files, args.groups, args.workers, args.repeats, args.out)
    elif args.what == "table":
        table(args.files)
    elif args.what == "workers":
        workers(first, args.groups, args.repeats)
    elif args.what == "kills":
        kills(first, args.groups, args.kills, args.seed)
    elif args.what == "stops":
        stops(first, args.groups, args.kills, args.seed)
    else:
        ray(first, args.groups)


if __name__ == "__main__":
    main()
