"""The head of every page of ours: its title, stylesheet and script, and the data for the script."""

import json
from typing import Any, Literal

from jinja2 import Template

_HEAD = Template(
    """<title>{{ title|e }}</title>
<link rel="icon" href="/static/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/static/vendor/noto-sans-sc/400.css">
<link rel="stylesheet" href="/static/css/{{ style|e }}.css">
<script type="application/json" id="geo-grid-page">{{ page_json }}</script>
<script type="module" src="/static/js/{{ name|e }}.js"></script>
"""
)
_PLAIN = """<!doctype html>
<html lang="{lang}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
{head}</head>
<body></body>
</html>
"""


def as_json(value: Any) -> str:
    """Return a value as JSON in which no `<` can end the block of a page that it stands in."""
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")


def head_of(name: str, style: str, title: str, options: dict[str, Any]) -> str:
    """Return the elements of a page's head; data is a block of JSON, never source text of a script.

    Parameters
    ----------
    name
        Name of the script in static/js.
    style
        Name of the stylesheet in static/css.
    options
        Data for the script.
    """
    head: str = _HEAD.render(name=name, style=style, title=title, page_json=as_json(options))
    return head


def plain_page(name: str, title: str, lang: Literal["zh", "en"], options: dict[str, Any], style: str = "office") -> str:
    """Render a page without a map, whose script builds the content. Parameters as of `head_of`."""
    return _PLAIN.format(lang=lang, head=head_of(name, style, title, {**options, "lang": lang}))
