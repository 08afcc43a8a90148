"""The API describes itself, and needs nobody else to be drawn."""

from __future__ import annotations

import re

import httpx

from ..parts.application import House, client, living


async def described() -> tuple[dict, httpx.Response]:
    async with living(House()) as application, client(application) as asker:
        return (await asker.get("/openapi.json")).json(), await asker.get("/docs")


async def test_every_route_is_described() -> None:
    """Each has a summary, an answer that is no error, and the one form of all errors."""
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


async def test_every_reference_leads_somewhere() -> None:
    """A tool that reads the document finds each model that it names."""
    document, _ = await described()
    models = set(document["components"]["schemas"])
    for reference in set(re.findall(r"#/components/schemas/([\w.-]+)", str(document))):
        assert reference in models


async def test_the_description_names_the_token() -> None:
    """Whoever tries a route on the page can say who they are."""
    document, _ = await described()
    assert document["components"]["securitySchemes"] == {"token": {"scheme": "bearer", "type": "http"}}


async def test_the_page_loads_nothing_from_elsewhere() -> None:
    """Its files come from here, and the policy lets no others in."""
    _, page = await described()
    assert page.status_code == 200
    links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert links
    assert all(link.startswith("/") and not link.startswith("//") for link in links)
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    async with living(House()) as application, client(application) as asker:
        for link in links:
            answer = await asker.get(link)
            assert answer.status_code == 200, link
            assert answer.content
        assert (await asker.get("/docs/oauth2-redirect.html")).status_code == 404
