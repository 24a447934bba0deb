"""Airflow 3: a dataset reaches training only where the gate held.

`airflow dags test preferences -c '{"data": "good.jsonl"}'` runs it once; bad.jsonl fails in the task `audit`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow.sdk import Param, dag, task
from airflow.sdk.exceptions import AirflowFailException


@dag(
    schedule=None,
    catchup=False,
    params={"data": Param("good.jsonl", type="string"), "out": Param("build", type="string")},
)
def preferences() -> None:
    """Audit, repair, train."""

    @task
    def audit(params: dict[str, Any]) -> str:
        import prefaudit  # in the task, so that parsing the DAG stays quick

        found = prefaudit.scan(params["data"], Path(params["out"]) / "audit", force=True)
        if found.exit_code:
            fired = [
                rule["code"]
                for rule in found.report["rules"]
                if rule["status"] == "fired" and rule["severity"] == "error"
            ]
            # not a plain exception: trying again does not mend data
            raise AirflowFailException(f"the gate failed: {', '.join(fired)}; see {found.folder / 'report.html'}")
        return str(found.folder)

    @task
    def repair(folder: str, params: dict[str, Any]) -> str:
        import prefaudit

        made = prefaudit.filter(
            params["data"], Path(params["out"]) / "train.jsonl", drop=["DUP"], audit=folder, force=True
        )
        return str(made.out)

    @task
    def train(data: str) -> int:
        with Path(data).open(encoding="utf-8") as lines:
            return sum(1 for _ in lines)  # the trainer goes here

    train(repair(audit()))


preferences()
