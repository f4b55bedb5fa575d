"""Charts as inline SVG: geometry and words only; colours come from the style sheet, figures from a table beside."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

HEIGHT, STEP, GAP = 100, 10, 1
ROW, WIDTH, START, END = 34, 400, 150, 350
LEAST = 1.5  # one offer among a thousand is still seen


def columns(name: str, values: Sequence[int], *, title: str, text: str) -> Markup:
    """Values side by side, as wide as their place. `text` says in words what is seen; `name` is unique on the page."""
    top = max(values, default=0) or 1
    bars = Markup("").join(
        Markup('<rect x="{}" y="{:.2f}" width="{}" height="{:.2f}"/>').format(
            n * STEP + GAP, HEIGHT - high, STEP - 2 * GAP, high
        )
        for n, high in ((n, _length(value, top, HEIGHT)) for n, value in enumerate(values))
        if high
    )
    box = f"0 0 {max(len(values), 1) * STEP} {HEIGHT}"
    return _svg("chart chart--columns", box, bars, name, title, text, stretched=True)


def bars(name: str, values: Sequence[tuple[str, int]], *, title: str) -> Markup:
    """Named values, one under the other, each with its number."""
    top = max((value for _label, value in values), default=0) or 1
    rows = Markup("").join(
        _bar(n, label, value, _length(value, top, END - START)) for n, (label, value) in enumerate(values)
    )
    text = "; ".join(f"{label}: {value}" for label, value in values)
    return _svg("chart chart--bars", f"0 0 {WIDTH} {len(values) * ROW}", rows, name, title, text)


def _bar(n: int, label: str, value: int, length: float) -> Markup:
    line, top = n * ROW + 22, n * ROW + 7
    return (
        Markup('<text x="0" y="{}">{}</text>').format(line, label)
        + Markup('<rect x="{}" y="{}" width="{:.2f}" height="20"/>').format(START, top, length)
        + Markup('<text x="{:.2f}" y="{}">{}</text>').format(START + length + 8, line, value)
    )


def _length(value: int, top: int, longest: int) -> float:
    return max(value / top * longest, LEAST) if value else 0.0


def _svg(
    classes: str, box: str, content: Markup, name: str, title: str, text: str, *, stretched: bool = False
) -> Markup:
    return Markup(
        '<svg class="{classes}" viewBox="{box}"{fit} role="img" aria-labelledby="{name}-title {name}-text">'
        '<title id="{name}-title">{title}</title><desc id="{name}-text">{text}</desc>{content}</svg>'
    ).format(
        classes=classes,
        box=box,
        fit=Markup(' preserveAspectRatio="none"') if stretched else "",
        name=name,
        title=title,
        text=text,
        content=content,
    )
