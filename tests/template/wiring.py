"""Checks: template and code fit together. Each gives what is wrong, in words; nothing when all is well."""

from __future__ import annotations

import re
from importlib import import_module

from functions.action_layer.consumer import ActionLayer
from functions.audit_log.recorder import AuditLog
from functions.challenges.consumer import ChallengeOpener
from functions.client_events.consumer import ClientEventRecorder
from functions.post_auth_intelligence import events as post_auth_intelligence
from tests.template.apps import DEPLOYED, routes_of, served
from tests.template.limits import STAGES
from tests.template.stack import ROOT, Resources, functions, logical_id, of_type, variables

CONSUMED: dict[str, frozenset[str] | None] = {
    "post_auth_intelligence": post_auth_intelligence.KINDS,
    "audit_log": AuditLog.kinds,
    "alerts": None,  # what alerts.yaml names, which may be anything
    "action_layer": ActionLayer.kinds,
    "challenges": ChallengeOpener.kinds,
    "client_events": ClientEventRecorder.kinds,
}
"""Kinds of events that each consumer takes; None: all."""
DECISIONS = {"challenges": {"decision": ["CHALLENGE"]}}
"""Of the scored events, only those that a consumer has something to do for."""
OPTIONAL = {"trainer"}
"""Made only when a parameter asks for it."""
READ_BY_SDK = {"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_LAMBDA"}
"""Set in local runs only; botocore reads them, and assay.adapters.aws.objects for obstore."""


def settings_out_of_step(resources: Resources) -> list[str]:
    """Every variable that a function reads is set, and every one that is set is read."""
    faults = []
    for folder, function in functions(resources).items():
        read = set(import_module(f"functions.{folder}.bootstrap").Settings.variables().values())
        given = variables(function).keys()
        faults += [f"{folder}: {name} is read and not set" for name in sorted(read - given)]
        faults += [f"{folder}: {name} is set and not read" for name in sorted(given - read - READ_BY_SDK)]
    return faults


def stages_out_of_place(resources: Resources) -> list[str]:
    """A stage is a function of its own, called by its alias, or it is carried and called by the orchestrator."""
    found = functions(resources)
    carried = _arguments(resources, "orchestrator")["INLINE"].split()
    placed = variables(found["orchestrator"])
    faults = []
    for stage in STAGES:
        separate = stage in found
        expected = f"lambda:{logical_id(stage)}Aliaslive" if separate else "inline"
        if placed[f"ASSAY_STAGE_{stage.upper()}"] != expected:
            faults.append(f"{stage}: called as {placed[f'ASSAY_STAGE_{stage.upper()}']}, should be {expected}")
        if (stage in carried) is separate:
            faults.append(f"{stage}: {'also' if separate else 'not'} in the orchestrator's image")
    return faults


def filters_out_of_step(resources: Resources) -> list[str]:
    """A consumer's queue gets the kinds of events that the consumer is there for."""
    faults = []
    for folder, kinds in CONSUMED.items():
        name = logical_id(folder).removesuffix("Function")
        policy = of_type(resources, "AWS::SNS::Subscription")[f"{name}Subscription"].get("FilterPolicy")
        expected = None if kinds is None else {"event": sorted(kinds), **DECISIONS.get(folder, {})}
        if policy != expected:
            faults.append(f"{folder}: gets {policy}, should get {expected}")
    return faults


def images_of_nothing(resources: Resources) -> list[str]:
    """Every image is built from one folder, or more, of functions/ that has an entry point; no folder is left out."""
    found = functions(resources)
    arguments = {folder: _arguments(resources, folder) for folder in found}
    carried = {name for given in arguments.values() for name in given.get("INLINE", "").split()}
    folders = {path.parent.name for path in (ROOT / "functions").glob("*/handler.py")}
    faults = [f"{name}: no such folder with a handler.py" for name in sorted((found.keys() | carried) - folders)]
    faults += [f"functions/{name}: in no image" for name in sorted(folders - found.keys() - carried - OPTIONAL)]
    for folder in found:
        metadata = resources[logical_id(folder)]["Metadata"]
        if not (ROOT / metadata["DockerContext"] / metadata["Dockerfile"]).is_file():
            faults.append(f"{folder}: no {metadata['Dockerfile']}")
        if not arguments[folder].get("BASE_IMAGE"):
            faults.append(f"{folder}: its base image cannot be chosen")
    return faults


def routes_out_of_step(resources: Resources) -> list[str]:
    """The API leads to every public route of every app, and to no other."""
    apps = {(*route, folder) for folder in DEPLOYED for route in served(routes_of(folder))}
    led = {(*route, _function(integration)) for route, integration in _integrations(resources).items()}
    faults = [f"{method} {path} of {folder}: not in the API" for method, path, folder in sorted(apps - led)]
    return faults + [f"{method} {path}: not served by {folder}" for method, path, folder in sorted(led - apps)]


def routes(resources: Resources) -> set[tuple[str, str]]:
    """(method, path) of the API."""
    return set(_integrations(resources))


def _integrations(resources: Resources) -> dict[tuple[str, str], str]:
    """(method, path) of the API -> the address of what it leads to."""
    return {
        (method.upper(), path): integration.get("x-amazon-apigateway-integration", {}).get("uri", "")
        for api in of_type(resources, "AWS::ApiGatewayV2::Api").values()
        for path, methods in api["Body"]["paths"].items()
        for method, integration in methods.items()
    }


def _function(address: str) -> str:
    """The folder of the function whose alias the address names; the address, when it names none."""
    alias = re.search(r"functions/(\w+)FunctionAliaslive/", address)
    return re.sub("(?<!^)(?=[A-Z])", "_", alias[1]).lower() if alias else address


def _arguments(resources: Resources, folder: str) -> dict[str, str]:
    return dict(resources[logical_id(folder)]["Metadata"]["DockerBuildArgs"])
