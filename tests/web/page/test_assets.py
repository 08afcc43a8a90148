from __future__ import annotations

import re
from posixpath import normpath

import pytest

from web.page.assets import FOLDER

from ..fakes.application import FakeApplication, client, serving

PATHS = [path for path in sorted(FOLDER.rglob("*")) if path.is_file()]
FILES = [path.relative_to(FOLDER).as_posix() for path in PATHS]


def test_every_referenced_file_exists():
    """Every path in HTML and every module in an import is a file of the page."""
    names = set()
    for path in PATHS:
        text = path.read_text()
        names |= set(re.findall(r"/static/([\w./-]+)", text))
        for module in re.findall(r"""(?:from |import |import\()"(\.[\w./-]+)\"""", text):
            names.add(normpath(path.parent.relative_to(FOLDER) / module))
    assert names
    assert names <= set(FILES)


def test_no_file_refers_to_another_host():
    """No file has a URL of another host; XML namespaces are no requests."""
    for path in PATHS:
        addresses = set(re.findall(r"https?://[^\s\"'`)]+", path.read_text()))
        assert addresses <= {"http://www.w3.org/2000/svg"}, path.name


async def test_files_have_content_types_that_browsers_accept():
    """Browsers load module scripts only with a JavaScript type."""
    application = FakeApplication()
    async with serving(application), client(application) as http:
        types = {name: (await http.get(f"/static/{name}")).headers["content-type"] for name in FILES}
    for name, kind in types.items():
        expected = {"js": "text/javascript", "css": "text/css", "html": "text/html", "svg": "image/svg+xml"}
        assert kind.startswith(expected[name.rpartition(".")[2]])


async def test_a_current_copy_is_not_sent_again():
    """304 by its ETag."""
    application = FakeApplication()
    async with serving(application), client(application) as http:
        first = await http.get("/static/main.js")
        again = await http.get("/static/main.js", headers={"If-None-Match": first.headers["etag"]})
        changed = await http.get("/static/main.js", headers={"If-None-Match": '"other"'})
    assert (again.status_code, again.content) == (304, b"")
    assert changed.content == first.content


@pytest.mark.parametrize(
    "name",
    [
        "%2e%2e/app.py",
        "..%2fapp.py",
        "%00",
        "nothing.js",
        "",
        "a/b",
        "core",
        "core/",
        "core/%2e%2e%2fmain.js",
        "core/..%2f..%2fassets.py",
    ],
)
async def test_no_other_file_can_be_read(name):
    """Only files that were in the folder at start are served."""
    application = FakeApplication()
    async with serving(application), client(application) as http:
        assert (await http.get(f"/static/{name}")).status_code == 404
