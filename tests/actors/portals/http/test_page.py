from __future__ import annotations

import pytest
from selectolax.lexbor import LexborHTMLParser

from actors.portals import PageChanged
from actors.portals.http.page import Page

FORM = """
<form id="all" method="post" action="../send?x=1">
  <input type="hidden" name="csrf" value="t&amp;k">
  <input name="plain"> <input name="off" disabled value="no"> <input value="nameless">
  <input type="checkbox" name="ticked" checked> <input type="checkbox" name="blank" value="b">
  <input type="radio" name="one" value="1"> <input type="radio" name="one" value="2" checked>
  <input type="file" name="upload"> <input type="reset" name="reset" value="r">
  <textarea name="words">two
lines</textarea>
  <select name="chosen"><option value="a">A</option><option value="b" selected>B</option></select>
  <select name="first"><option>only text</option></select>
  <button type="button" name="script" value="s">Script</button>
  <button name="go" value="yes">Go</button> <button name="go" value="no">No</button>
</form>
<form id="bare"><input type="submit" name="sent" value="ok"></form>
"""


def page(html):
    return Page(path="/deep/form", url="http://x/deep/form?q=1", status=200, tree=LexborHTMLParser(html))


def test_a_form_submits_the_fields_of_a_browser():
    """Hidden, checked and selected fields and the first button are submitted, disabled ones are not."""
    form = page(FORM).form("#all")
    assert (form.method, form.url) == ("POST", "http://x/send?x=1")
    assert form.fields == (
        ("csrf", "t&k"),
        ("plain", ""),
        ("ticked", "on"),
        ("one", "2"),
        ("words", "two\nlines"),
        ("chosen", "b"),
        ("first", "only text"),
        ("go", "yes"),
    )


def test_a_form_without_method_and_action():
    """It is a GET of the page's own URL."""
    form = page(FORM).form("#bare")
    assert (form.method, form.url) == ("GET", "http://x/deep/form?q=1")
    assert form.fields == (("sent", "ok"),)


def test_filling_in_a_form():
    """Only the named fields change; a missing field is `PageChanged`."""
    form = page(FORM).form("#all").filled({"plain": "text"})
    assert ("plain", "text") in form.fields
    assert ("csrf", "t&k") in form.fields
    with pytest.raises(PageChanged, match=r'/deep/form has changed: no element matches \[name="reason"\]'):
        form.filled({"reason": "x"})


def test_a_missing_form():
    """`PageChanged` names the page and the selector."""
    with pytest.raises(PageChanged) as caught:
        page("<p>nothing</p>").form("form.accept")
    assert (caught.value.page, caught.value.selector) == ("/deep/form", "form.accept")


def test_text_reads_as_one_line():
    """White space is tidied, and no match is no text."""
    assert page("<p>two\n  <b>words</b> </p>").text("p") == "two words"
    assert page("<p></p>").text("td") == ""


def test_a_form_does_not_show_what_it_sends():
    """Among that is the password."""
    form = page('<form id="login"><input name="password"></form>').form("#login")
    assert "hunter2" not in repr(form.filled({"password": "hunter2"}))
