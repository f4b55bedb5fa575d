"""HTML, as CRMs keep it in titles and descriptions, as the plain text that it says; paragraphs stay.

Only names of HTML's own elements count as tags, and only entities with their semicolon: `<100.000 €` and `R&D` are
text. Each pass looks at every character a bounded number of times, whatever was sent.
"""

from __future__ import annotations

import html
import re

PASSES = 3  # what was escaped twice on its way is still escaped after the first
LONGEST = 400_000  # characters: what is longer is no description, with tags or without
_PARAGRAPH = "p h1 h2 h3 h4 h5 h6 ul ol dl table blockquote pre section article header footer main aside figure hr"
_LINE = "div br tr li dt dd figcaption address"
_INLINE = (
    "a abbr acronym b bdi bdo big center cite code col colgroup data del dfn em font i img input ins kbd label mark "
    "nobr q rp rt ruby s samp small span strike strong sub sup tbody td tfoot th thead time tt u var video wbr "
    "html head body title meta link button form iframe noscript object embed param svg path picture source"
)
_SILENT = ("script", "style", "template")  # what stands in them is not text
_NAMES = "|".join((*_PARAGRAPH.split(), *_LINE.split(), *_INLINE.split(), *_SILENT))
_TAG = re.compile(rf"<(/?)({_NAMES})(?=[\s/>])[^<>]*>", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_BREAKS = dict.fromkeys(_PARAGRAPH.split(), "\n\n") | dict.fromkeys(_LINE.split(), "\n")
_BLOCKS = set(_LINE.split()) - {"br"}  # they begin and end a line, but make no empty one
_UNSEEN = dict.fromkeys(map(ord, "\u00ad\u200b\u2060\ufeff"))  # where a word may break, or a mark of nothing


def plain_text(text: str, *, one_line: bool = False) -> str:
    """The text without tags, comments and entities; what holds none comes back as it is."""
    if len(text) > LONGEST:
        return text
    for _ in range(PASSES):
        before, text = text, _once(text)
        if text == before:
            break
    return " ".join(text.split()) if one_line and "\n" in text else text


def _once(text: str) -> str:
    kept = _without_comments(text)
    tags = list(_TAG.finditer(kept))
    if kept == text and not tags and not _ENTITY.search(text):
        return text
    laid_out = any(tag[2].lower() in _BREAKS for tag in tags)
    parts, at, silent = list[str](), 0, ""
    for tag in tags:
        name, closes = tag[2].lower(), bool(tag[1])
        if not silent:
            parts.append(_said(kept[at : tag.start()], laid_out=laid_out))
            parts.append("" if name in _BLOCKS and _ended(parts) else _BREAKS.get(name, ""))
            parts.append("• " if name == "li" and not closes else "\t" if name in {"td", "th"} and closes else "")
        at = tag.end()
        if silent == name and closes:
            silent = ""
        elif name in _SILENT and not silent and not closes:
            silent = name
    if not silent:
        parts.append(_said(kept[at:], laid_out=laid_out))
    return _tidy("".join(parts)) if tags or kept != text else "".join(parts)


def _ended(parts: list[str]) -> bool:
    """Whether what was said so far ends with a line."""
    last = next((part for part in reversed(parts[-8:]) if part.strip(" ")), "\n")
    return last.rstrip(" ").endswith("\n")


def _said(text: str, *, laid_out: bool) -> str:
    """Text between tags. Where tags make the lines, breaks in the source are spaces."""
    if laid_out:
        text = re.sub(r"\s+", " ", text)
    return _ENTITY.sub(lambda found: html.unescape(found[0]).replace("\u00a0", " ").translate(_UNSEEN), text)


def _without_comments(text: str) -> str:
    text = text.replace("<![CDATA[", "").replace("]]>", "") if "<![CDATA[" in text else text
    parts, at = list[str](), 0
    while (start := text.find("<!--", at)) >= 0 and (end := text.find("-->", start + 4)) >= 0:
        parts.append(text[at:start])
        at = end + 3
    parts.append(text[at:])
    return "".join(parts)


def _tidy(text: str) -> str:
    """No spaces at the ends of lines, and one empty line at most."""
    lines = [" ".join(line.split()) for line in text.split("\n")]
    kept = [line for number, line in enumerate(lines) if line or (number and lines[number - 1])]
    return "\n".join(kept).strip()
