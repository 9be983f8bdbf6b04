"""Whatever a label says, it stays text in a page."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerting.template.notification import Templates
from alerting.template.notification_data import KV
from tests.alerting.template.data import DATA

TEMPLATES = Templates()
HOSTILE = st.one_of(
    st.text(max_size=30),
    st.lists(
        st.sampled_from(
            ["<script>", "</script>", "javascript:", "alert(1)", "'", '"', ">", "<", "&", "--", "-->", "=", " ",
             "onload",
             "`", "/", ":", "\\", "\n", "data:", "</title>", "</style>", "{{", "\0", "\t", "?", "#", "%", "é", "x"]
        ),
        max_size=8,
    ).map("".join),
)  # fmt: skip
PLACES = [
    "<p>V</p>",
    '<a href="V">x</a>',
    "<a href='V'>x</a>",
    "<a href=V>x</a>",
    '<a href="/x?q=V&r=V#V">x</a>',
    '<a href="https://example.org/V">x</a>',
    "<b title=V>x</b>",
    "<b title=\"V\" class='V'>x</b>",
    "<title>V</title>",
    "<textarea>V</textarea>",
    "<style>p { color: V }</style>",
    '<p style="color: V">x</p>',
    '<script>var x = "V"; var y = V;</script>',
    "<b onclick=\"say('V')\">x</b>",
    "<!-- V --><p>x</p>",
    "<b {{ if true }}V{{ end }}>x</b>",
    '<b V="V">x</b>',
    "<V>x</V>",
    '<a {{ if true }}href{{ end }}="V">x</a>',
    '<a href={{ if true }}"{{ end }}V">x</a>',
]


class Outline(HTMLParser):
    """What elements and attributes a page has, and where its addresses lead."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, tuple[str, ...]]] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, tuple(name for name, _ in attributes)))
        self.addresses += [value or "" for name, value in attributes if name == "href"]

    def handle_endtag(self, tag: str) -> None:
        self.found.append(("/" + tag, ()))


def outline(place: str, value: str) -> Outline:
    data = replace(DATA, common_labels=KV({"v": value}))
    parser = Outline()
    parser.feed(TEMPLATES.html(place.replace("V", "{{ .CommonLabels.v }}"), data))
    parser.close()
    return parser


@pytest.mark.parametrize("place", [place for place in PLACES if place != "<V>x</V>" and "V=" not in place])
@given(value=HOSTILE)
@settings(max_examples=20, deadline=None)
def test_a_value_never_adds_an_element_or_leads_to_a_script(place: str, value: str) -> None:
    page, plain = outline(place, value), outline(place, "zz")
    is_attribute_name = "}V{" in place
    if not is_attribute_name:
        assert page.found == plain.found
    for address in page.addresses:
        beginning = re.split("[/?#]", address)[0]
        assert ":" not in beginning or beginning.startswith(("http:", "https:", "mailto:", "tel:"))


@given(value=HOSTILE)
@settings(max_examples=20, deadline=None)
def test_a_script_stays_what_it_is(value: str) -> None:
    data = replace(DATA, common_labels=KV({"v": value}))
    page = TEMPLATES.html('<script>var x = "{{ .CommonLabels.v }}";</script>', data)
    inner = page.removeprefix('<script>var x = "').removesuffix('";</script>')
    assert not set(inner) & set("\"'<>&=()\n\r`;/") or value == ""


@pytest.mark.parametrize("place", ["<V>x</V>", '<b V="1">x</b>'])
@pytest.mark.parametrize("value", ["img src=x onerror=alert(1)", "onload", "href", "a b", "><script>"])
def test_what_would_become_markup_is_refused(place: str, value: str) -> None:
    data = replace(DATA, common_labels=KV({"v": value}))
    assert "ZgotmplZ" in TEMPLATES.html(place.replace("V", "{{ .CommonLabels.v }}"), data)


def test_html_that_is_meant_as_such_passes() -> None:
    data = replace(DATA, common_labels=KV({"v": "<b>x</b>"}))
    assert TEMPLATES.html("{{ .CommonLabels.v | safeHtml }}", data) == "<b>x</b>"
