"""The least of a GitHub runner that the composite action of this repository needs."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import yaml
from pages.blocks import ROOT


class Job:
    """A job of that one action; its steps run as GitHub runs them, with bash.

    Args:
        home: where the files of the job go.
        environment: what the steps find, PATH above all.
        inputs: of the action.
    """

    def __init__(self, home: Path, environment: Mapping[str, str], **inputs: str) -> None:
        self.action = yaml.safe_load((ROOT / "action.yml").read_text())
        known = {name: str(said.get("default", "")) for name, said in self.action["inputs"].items()}
        assert set(inputs) <= set(known)
        self.context = {f"inputs.{name}": value for name, value in (known | inputs).items()}
        self.context["github.action_path"] = str(ROOT)
        self.files = {name: home / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
        for path in self.files.values():
            path.write_text("")
        self.environment = {**environment, **{name: str(path) for name, path in self.files.items()}}

    def run(self) -> subprocess.CompletedProcess[str]:
        """Run the steps whose condition holds until one fails; gives the last."""
        for step in self.action["runs"]["steps"]:
            if condition := step.get("if"):
                name, other = condition.split(" != ")
                if self.context[name] == other.strip("'"):
                    continue
            assert step["shell"] == "bash"
            given = {key: self._put(value) for key, value in step.get("env", {}).items()}
            words = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
            done = subprocess.run(words, capture_output=True, text=True, timeout=600, env=self.environment | given)
            if done.returncode:
                break
        return done

    def outputs(self) -> dict[str, str]:
        """What the action wrote for later steps."""
        return dict(line.split("=", 1) for line in self.files["GITHUB_OUTPUT"].read_text().splitlines())

    def _put(self, text: str) -> str:
        return re.sub(r"\$\{\{ *([\w.-]+) *\}\}", lambda match: self.context[match[1]], text)
