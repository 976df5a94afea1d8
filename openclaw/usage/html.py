"""A page of cards as one file: nothing in it asks for anything from elsewhere, and nothing in it runs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from openclaw import render

POLICY = "default-src 'none'; style-src 'unsafe-inline'"  # the browser's own promise that no request leaves


class Card(NamedTuple):
    """One thing to look at. `said` sums it up, `legend` are names with their colours, `body` is HTML."""

    title: str
    said: str
    body: str
    legend: Sequence[tuple[str, int]] = ()
    wide: bool = False


def text(value: object) -> str:
    """As text of a page: no markup, and nothing that a page can't hold."""
    return escape(named(str(value)))


def named(value: str) -> str:
    """A name from elsewhere, without what XML and UTF-8 have no place for."""
    clean = render.clean(value).encode("utf-8", "replace").decode()
    return "".join("\N{REPLACEMENT CHARACTER}" if char in "\ufffe\uffff" else char for char in clean)


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str] = ()) -> str:
    """Cells are text; those of columns in `right` stand there."""
    side = [' class="r"' if header in right else "" for header in headers]
    head = "".join(f"<th{css}>{text(cell)}</th>" for css, cell in zip(side, headers, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td{css}>{text(cell)}</td>" for css, cell in zip(side, row, strict=True)) + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def page(title: str, said: str, tiles: Sequence[tuple[str, str]], cards: Sequence[Card], foot: str) -> str:
    """The whole document. `tiles` are values with what they are."""
    with open(os.path.join(os.path.dirname(__file__), "page.css"), encoding="utf-8") as file:
        css = file.read()
    shown = "".join(f"<div><b>{text(value)}</b><span>{text(what)}</span></div>" for value, what in tiles)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{text(title)}</title>\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<style>\n{css}</style></head><body>\n<header><h1>{text(title)}</h1><p>{text(said)}</p></header>\n"
        f'<div class="tiles">{shown}</div>\n<main>\n{"".join(map(_card, cards))}</main>\n'
        f"<footer>{text(foot)}</footer></body></html>\n"
    )


def _card(card: Card) -> str:
    legend = "".join(f'<li><i class="c{at}"></i>{text(name)}</li>' for name, at in card.legend)
    return (
        f"<section{' class=wide-card' if card.wide else ''}><h2>{text(card.title)}</h2><p>{text(card.said)}</p>"
        + (f"<ul>{legend}</ul>" if legend else "")
        + f"{card.body}</section>\n"
    )
