"""``/openapi.json`` describes every route, and ``/docs`` loads nothing from other hosts."""

from __future__ import annotations

import re

import httpx

from ..fakes.application import FakeApplication, client, serving


async def described() -> tuple[dict, httpx.Response]:
    async with serving(FakeApplication()) as application, client(application) as http:
        return (await http.get("/openapi.json")).json(), await http.get("/docs")


async def test_every_route_is_described() -> None:
    """With a summary, a success response and the common error response."""
    document, _ = await described()
    operations = [
        (method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    assert operations
    for method, path, operation in operations:
        assert operation.get("summary"), (method, path)
        assert operation["tags"], (method, path)
        statuses = set(operation["responses"])
        assert any(status.startswith("2") for status in statuses), (method, path)
        assert "application/problem+json" in operation["responses"]["default"]["content"]
    names = [operation["operationId"] for _, _, operation in operations]
    assert len(names) == len(set(names))


async def test_every_reference_is_defined() -> None:
    """Of every model."""
    document, _ = await described()
    models = set(document["components"]["schemas"])
    for reference in set(re.findall(r"#/components/schemas/([\w.-]+)", str(document))):
        assert reference in models


async def test_the_description_names_the_token() -> None:
    """So that the page can authorise requests."""
    document, _ = await described()
    assert document["components"]["securitySchemes"] == {"token": {"scheme": "bearer", "type": "http"}}


async def test_the_page_loads_nothing_from_elsewhere() -> None:
    """Its files are served here, and the policy allows no others."""
    _, page = await described()
    assert page.status_code == 200
    links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert links
    assert all(link.startswith("/") and not link.startswith("//") for link in links)
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    async with serving(FakeApplication()) as application, client(application) as http:
        for link in links:
            answer = await http.get(link)
            assert answer.status_code == 200, link
            assert answer.content
        assert (await http.get("/docs/oauth2-redirect.html")).status_code == 404
