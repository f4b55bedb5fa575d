"""What a page must keep to on any screen, measured in the page itself."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page

SCRIPT = Path(__file__).with_name("measures.js").read_text()


def faults_of_layout(page: Page) -> list[str]:
    """Sideways scroll, text cut off or over other text, what lies over a link or button, small targets on a phone."""
    found: list[str] = page.evaluate(SCRIPT)
    return found
