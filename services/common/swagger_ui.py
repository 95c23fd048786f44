"""Swagger UI at /apis/swagger/index.html: its files from a package, a page around them, nothing from elsewhere."""

from __future__ import annotations

import html
import json
from importlib.util import find_spec
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route

FOLDER = "/apis/swagger"
_PACKAGE = "flask_swagger_ui"
_FILES = ("swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png")
_HEADERS = {
    # Swagger UI sets style attributes; scripts come from files alone.
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}
_PAGE = """<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>{title}</title>
    <link rel="icon" href="favicon-32x32.png">
    <link rel="stylesheet" href="swagger-ui.css">
  </head>
  <body>
    <div id="ui"></div>
    <script src="swagger-ui-bundle.js"></script>
    <script src="start.js"></script>
  </body>
</html>
"""
_START = "SwaggerUIBundle({options});\n"


def swagger_ui_routes(title: str, document: str) -> list[BaseRoute]:
    """The page, its script and the package's files; `document` is the path of the OpenAPI description."""
    folder = _package_folder()
    page = _PAGE.format(title=html.escape(title))
    options = {"url": document, "dom_id": "#ui", "deepLinking": True, "validatorUrl": None}
    start = _START.format(options=json.dumps(options))

    async def serve_page(_: Request) -> Response:
        return Response(page, media_type="text/html", headers=_HEADERS)

    async def serve_start(_: Request) -> Response:
        return Response(start, media_type="text/javascript", headers=_HEADERS)

    async def serve_file(request: Request) -> Response:
        return FileResponse(folder / request.url.path.rpartition("/")[2], headers=_HEADERS)

    return [
        Route(f"{FOLDER}/index.html", serve_page),
        Route(f"{FOLDER}/start.js", serve_start),
        *(Route(f"{FOLDER}/{name}", serve_file) for name in _FILES),
    ]


def _package_folder() -> Path:
    """Where the package keeps its files; found without importing it, since its code wants Flask."""
    spec = find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"{_PACKAGE} is not installed", name=_PACKAGE)
    return Path(spec.submodule_search_locations[0]) / "dist"
