from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from local.aws.errors import TemplateError
from local.aws.template import Template

TEMPLATE = """
Parameters:
  Mode: {Type: String, Default: Separate}
  Count: {Type: Number, Default: 3}
  Endpoint: {Type: String, Default: ''}
Conditions:
  Separate: !Equals [!Ref Mode, Separate]
  Three: !Equals [!Ref Count, 3]
  Elsewhere: !Not [!Equals [!Ref Endpoint, '']]
  Both: !And [!Condition Separate, !Condition Three]
  Either: !Or [!Condition Separate, !Condition Elsewhere]
Globals:
  Function:
    Timeout: 5
    Environment: {Variables: {COMMON: all, ENDPOINT: !If [Elsewhere, !Ref Endpoint, !Ref AWS::NoValue]}}
Resources:
  Table: {Type: 'AWS::DynamoDB::Table', Properties: {Name: !Sub '${AWS::StackName}-${Count}'}}
  Extra: {Type: 'AWS::SQS::Queue', Condition: Separate}
  Worker:
    Type: AWS::Serverless::Function
    Properties: {Timeout: 9, Environment: {Variables: {TABLE: !Ref Table}}}
"""


def lookup(name: str, attribute: str | None) -> str:
    return name if attribute is None else f"{name}/{attribute}"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "template.yaml"
    file.write_text(TEMPLATE)
    return file


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"Ref": "Table"}, "Table"),
        ({"Ref": "Count"}, 3),
        ({"Ref": "AWS::Region"}, "us-east-1"),
        ({"Fn::GetAtt": ["Table", "Arn"]}, "Table/Arn"),
        ({"Fn::Sub": "s3://${Table}/${!literal}/${Table.Arn}/${Count}"}, "s3://Table/${literal}/Table/Arn/3"),
        ({"Fn::Sub": ["${own}-${Table}", {"own": {"Ref": "Count"}}]}, "3-Table"),
        ({"Fn::Join": [":", ["a", {"Ref": "Mode"}, {"Ref": "AWS::NoValue"}]]}, "a:Separate"),
        ({"Fn::Split": ["@", {"Fn::Sub": "a@${Mode}"}]}, ["a", "Separate"]),
        ({"Fn::Select": [1, {"Fn::Split": ["@", "a@b"]}]}, "b"),
        ({"Fn::If": ["Separate", "yes", "no"]}, "yes"),
        ({"Fn::If": ["Elsewhere", "yes", "no"]}, "no"),
        ({"Fn::If": ["Both", "yes", "no"]}, "yes"),
        ({"Fn::If": ["Either", "yes", "no"]}, "yes"),
        ({"a": {"Ref": "AWS::NoValue"}, "b": [{"Ref": "AWS::NoValue"}, 1]}, {"b": [1]}),
        ({"Ref": "AWS::NoValue"}, None),
    ],
)
def test_intrinsics(path: Path, value: Any, expected: Any) -> None:
    assert Template.load(path).resolve(value, lookup) == expected


def test_overrides_reach_conditions_and_globals(path: Path) -> None:
    plain = Template.load(path)
    assert "Extra" in plain.resources
    assert plain.resolve(plain.functions()["Worker"], lookup) == {
        "Timeout": 9,
        "Environment": {"Variables": {"COMMON": "all", "TABLE": "Table"}},
    }
    changed = Template.load(path, {"Mode": "Inline", "Endpoint": "http://x", "Count": "4"})
    assert "Extra" not in changed.resources
    variables = changed.resolve(changed.functions()["Worker"], lookup)["Environment"]["Variables"]
    assert variables["ENDPOINT"] == "http://x"
    assert changed.resolve(changed.resources["Table"]["Properties"], lookup) == {"Name": "assay-local-4"}


@pytest.mark.parametrize(
    "value",
    [
        {"Fn::ImportValue": "x"},
        {"Fn::FindInMap": ["a", "b", "c"]},
        {"Fn::If": ["Nowhere", 1, 2]},
    ],
)
def test_what_is_not_understood_is_said(path: Path, value: Any) -> None:
    with pytest.raises(TemplateError):
        Template.load(path).resolve(value, lookup)


def test_a_wrong_parameter_is_said(path: Path) -> None:
    with pytest.raises(TemplateError, match="no parameter Typo"):
        Template.load(path, {"Typo": "x"})
    path.write_text("Parameters: {Need: {Type: String}}\nResources: {}\n")
    with pytest.raises(TemplateError, match="a value for Need"):
        Template.load(path)


@pytest.mark.parametrize("text", ["", "[]", "Resources: [", "a: 1"])
def test_what_is_no_template_is_said(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(TemplateError, match=r"template\.yaml"):
        Template.load(path)
