"""The page that people use, and the one that describes the endpoints; nothing in them is loaded
from elsewhere.
"""

import json
from collections.abc import Mapping
from html import escape
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastapi import FastAPI
    from fastapi.responses import Response

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_FILES = {
    "/": ("page.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
    "/marking.js": ("marking.js", "text/javascript"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}


def add_page(app: "FastAPI") -> None:
    """Adds the page at / and the description of the endpoints at /docs."""
    from fastapi.responses import Response

    folder = resources.files("biobert_jax.inference.serving") / "assets"
    for path, (name, kind) in _FILES.items():
        app.add_api_route(
            path,
            _giving((folder / name).read_bytes(), kind),
            methods=["GET"],
            include_in_schema=False,
        )

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return _response(_described(app.openapi()).encode(), "text/html")


def _giving(content: bytes, kind: str) -> Any:
    from fastapi.responses import Response

    async def give() -> Response:
        return _response(content, kind)

    return give


def _response(content: bytes, kind: str) -> "Response":
    from fastapi.responses import Response

    headers = {"content-security-policy": _POLICY, "x-frame-options": "DENY"}
    return Response(content, 200, headers, f"{kind}; charset=utf-8")


def _described(openapi: Mapping[str, Any]) -> str:
    """OpenAPI's description as a page without scripts."""
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<title>biobert_jax: endpoints</title><link rel="icon" href="icon.svg">'
        '<link rel="stylesheet" href="page.css"></head>'
        '<body><main class="endpoints"><h1>Endpoints</h1><p>For programs: '
        '<a href="openapi.json">openapi.json</a>. For people: <a href="./">the page</a>. '
        "Also: <code>/health</code>, <code>/ready</code>, <code>/metrics</code>.</p>"
    ]
    for path, methods in openapi["paths"].items():
        for method, said in methods.items():
            parts.append(f"<h2><code>{method.upper()} {escape(path)}</code></h2>")
            parts.append(f"<p>{escape(said.get('description', ''))}</p>")
            content = said.get("requestBody", {}).get("content", {})
            schema = content.get("application/json", {}).get("schema")
            if schema:
                example = json.dumps(_example(openapi, schema), ensure_ascii=False)
                command = (
                    f"curl -s http://127.0.0.1:8642{path} -H 'Content-Type: application/json' "
                    f"-d '{example}'"
                )
                parts.append(f"<pre>{escape(command)}</pre>")
                parts.append(_table(_resolved(openapi, schema)))
    return "".join(parts) + "</main></body></html>"


def _resolved(openapi: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    return openapi["components"]["schemas"][name] if name else schema


def _example(openapi: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    fields = _resolved(openapi, schema)["properties"]
    return {name: field["examples"][0] for name, field in fields.items() if "examples" in field}


def _table(schema: Mapping[str, Any]) -> str:
    rows = []
    for name, field in schema["properties"].items():
        said = field.get("description", "")
        default = "required" if "default" not in field else json.dumps(field["default"])
        if name not in schema.get("required", ()) and "default" not in field:
            default = "may be left out"
        choices = field.get("enum") or []
        said += f" ({', '.join(map(str, choices))})" if choices else ""
        rows.append(
            f"<tr><td><code>{escape(name)}</code></td><td>{escape(_kind(field))}</td>"
            f"<td>{escape(default)}</td><td>{escape(said.strip())}</td></tr>"
        )
    head = "<tr><th>member</th><th>type</th><th>default</th><th></th></tr>"
    return f'<div class="scroll"><table>{head}{"".join(rows)}</table></div>'


def _kind(field: Mapping[str, Any]) -> str:
    some = field.get("anyOf")
    if some:
        return " or ".join(_kind(one) for one in some if one.get("type") != "null")
    if field.get("type") == "array":
        return f"list of {_kind(field.get('items', {}))}"
    return str(field.get("type", "any"))
