"""The API, to read and try."""

from __future__ import annotations

from importlib.resources import files

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Assay</title>
<link rel="stylesheet" href="https://cdn.jsdelivr.net/npm/swagger-ui-dist@5/swagger-ui.css">
</head>
<body>
<div id="docs"></div>
<script src="https://cdn.jsdelivr.net/npm/swagger-ui-dist@5/swagger-ui-bundle.js"></script>
<script>SwaggerUIBundle({url: "openapi.json", dom_id: "#docs"})</script>
</body>
</html>
"""


def document() -> bytes:
    """The OpenAPI document of the whole public API, made by `make openapi`."""
    return files("assay.http").joinpath("openapi.json").read_bytes()
