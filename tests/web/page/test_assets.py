from __future__ import annotations

import re

import pytest

from web.page.assets import FOLDER

from ..parts.application import House, client, living

FILES = sorted(path.name for path in FOLDER.iterdir())


def test_every_file_of_the_page_is_there():
    """The page's own names of files are names of files."""
    names = set()
    for path in FOLDER.iterdir():
        names |= set(re.findall(r"""(?:/static/|from "\./|import "\./)([\w.-]+)""", path.read_text()))
    assert names
    assert names <= set(FILES)


def test_nothing_comes_from_outside():
    """No address of another host is in any file but for XML's own names."""
    for path in FOLDER.iterdir():
        addresses = set(re.findall(r"https?://[^\s\"'`)]+", path.read_text()))
        assert addresses <= {"http://www.w3.org/2000/svg"}, path.name


async def test_files_have_types_that_browsers_take():
    """A module script must be JavaScript by its type."""
    application = House()
    async with living(application), client(application) as http:
        types = {name: (await http.get(f"/static/{name}")).headers["content-type"] for name in FILES}
    for name, kind in types.items():
        expected = {"js": "text/javascript", "css": "text/css", "html": "text/html", "svg": "image/svg+xml"}
        assert kind.startswith(expected[name.rpartition(".")[2]])


async def test_a_file_that_the_client_has_is_not_sent_again():
    """304 by its ETag."""
    application = House()
    async with living(application), client(application) as http:
        first = await http.get("/static/main.js")
        again = await http.get("/static/main.js", headers={"If-None-Match": first.headers["etag"]})
        changed = await http.get("/static/main.js", headers={"If-None-Match": '"other"'})
    assert (again.status_code, again.content) == (304, b"")
    assert changed.content == first.content


@pytest.mark.parametrize("name", ["%2e%2e/app.py", "..%2fapp.py", "%00", "nothing.js", "", "a/b"])
async def test_nothing_else_of_the_disk_can_be_had(name):
    """There are only the names that were there at the start."""
    application = House()
    async with living(application), client(application) as http:
        assert (await http.get(f"/static/{name}")).status_code == 404
