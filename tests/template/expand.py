"""Prints template.yaml as CloudFormation would see it: expanded by SAM's own translator, as JSON.

A program of its own because the translator lives in the environment of the SAM tool, not in the project's.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

os.environ.setdefault("AWS_DEFAULT_REGION", "eu-central-1")  # the translator asks for one; nothing is called there

from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse


def expand(text: str, parameters: dict[str, str]) -> dict[str, object]:
    """The template with every serverless resource replaced by what SAM makes of it; conditions stay."""
    template = yaml_parse(text)
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["ImageUri"] = "registry.invalid/image:tag"  # what `sam build` puts in
    expanded: dict[str, object] = Translator(managed_policy_map={}, sam_parser=Parser()).translate(template, parameters)
    return expanded


if __name__ == "__main__":
    json.dump(expand(Path(sys.argv[1]).read_text(), json.loads(sys.argv[2])), sys.stdout)
