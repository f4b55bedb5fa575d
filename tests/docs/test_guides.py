"""The guides are pages of the product, with the address of the server that shows them."""

from __future__ import annotations

import pytest
from flask import Flask


@pytest.mark.parametrize(("name", "said"), [("api", "Staying in step"), ("webhooks", "Check the signature")])
def test_a_guide_is_read_in_the_product(app: Flask, name: str, said: str) -> None:
    client = app.test_client()
    for prefix in ("", "/en"):
        page = client.get(f"{prefix}/docs/{name}").get_data(as_text=True)
        assert said in page and 'lang="en"' in page
        assert "127.0.0.1:8000" not in page and ".md" not in page.partition("<article")[2].partition("</article")[0]
    assert f"/docs/{name}" in client.get("/api/docs").get_data(as_text=True)
    assert "/docs/api" in client.get("/docs").get_data(as_text=True)


def test_there_is_no_other_guide(app: Flask) -> None:
    assert app.test_client().get("/docs/operators").status_code == 404
