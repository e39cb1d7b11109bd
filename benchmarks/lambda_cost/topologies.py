"""The topologies that the template offers, and the images of each."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

from benchmarks.machine import ROOT

CHEAP = ("geoip", "rules_engine", "decision_engine")
MODELS = ("isolation_forest", "autoencoder", "xgboost_classifier")


@dataclass(frozen=True, slots=True)
class Topology:
    """`inline`: the stages in the orchestrator's image. `parameters`: the template's, that make it so."""

    name: str
    inline: tuple[str, ...]
    parameters: dict[str, str]

    @property
    def separate(self) -> tuple[str, ...]:
        """The stages that are functions of their own."""
        return tuple(stage for stage in (*CHEAP, *MODELS) if stage not in self.inline)


_CHEAP_INLINE = {"RulesEnginePlacement": "Inline", "DecisionEnginePlacement": "Inline", "GeoipPlacement": "Inline"}
TOPOLOGIES = (
    Topology("every stage separate", (), {}),
    Topology("all but the models inline", CHEAP, _CHEAP_INLINE),
    Topology("one function decides", (*CHEAP, *MODELS), {**_CHEAP_INLINE, "ModelsPlacement": "Inline"}),
)


def image(function: str, base_image: str, inline: tuple[str, ...] = ()) -> str:
    """Builds the function's image, or finds it in Docker's cache; its id."""
    arguments = [f"FUNCTION={function}", f"INLINE={' '.join(inline)}"]
    arguments += [f"BASE_IMAGE={base_image}"] if base_image else []
    given = [word for argument in arguments for word in ("--build-arg", argument)]
    command = ["docker", "build", "--quiet", "--file", "functions/Dockerfile", *given, "."]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{function}: no image: {done.stderr[-1500:]}")
    return done.stdout.strip()
