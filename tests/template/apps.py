"""The routes of the functions' apps, over collaborators that are not there: only where the routes are matters."""

from __future__ import annotations

from importlib import import_module
from typing import get_type_hints

from starlette.routing import Route

from tests.template.stack import ROOT

APPS = sorted(path.parent.name for path in (ROOT / "functions").glob("*/app.py"))
"""Folders of the functions that have one."""
DEPLOYED = [folder for folder in APPS if (ROOT / "functions" / folder / "handler.py").exists()]
"""Those of them that run on AWS: an app without a handler runs embedded only, so far."""


def routes_of(folder: str, **collaborators: object) -> list[Route]:
    """Routes of the function's app, with these of its collaborators and no others."""
    app = import_module(f"functions.{folder}.app")
    api = object.__new__(next(kind for name, kind in get_type_hints(app.routes).items() if name != "return"))
    for name, collaborator in collaborators.items():
        object.__setattr__(api, name, collaborator)
    found: list[Route] = app.routes(api)
    return found


def served(routes: list[Route]) -> set[tuple[str, str]]:
    """(method, path) of the routes."""
    return {(method, route.path) for route in routes for method in (route.methods or set()) - {"HEAD"}}
