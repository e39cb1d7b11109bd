"""The fraud stories, each in its own module."""

from __future__ import annotations

from training.simulator.stories.base import Crew, Story
from training.simulator.stories.botnet import Botnet
from training.simulator.stories.brute_force import BruteForce
from training.simulator.stories.card_testing import CardTesting
from training.simulator.stories.compromised_merchant import CompromisedMerchant
from training.simulator.stories.device_farm import DeviceFarm
from training.simulator.stories.sim_swap import SimSwap
from training.simulator.stories.slow_burn import SlowBurn
from training.simulator.stories.talked_into import TalkedIntoPaying

ALL: tuple[Story, ...] = (
    CardTesting(),
    BruteForce(),
    SimSwap(),
    DeviceFarm(),
    Botnet(),
    CompromisedMerchant(),
    SlowBurn(),
    TalkedIntoPaying(),
)
NAMES: tuple[str, ...] = tuple(story.name for story in ALL)

__all__ = ["ALL", "NAMES", "Crew", "Story"]
