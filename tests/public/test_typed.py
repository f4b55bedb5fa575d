"""A sent form is read from the declared fields as the form's own objects would read it."""

from __future__ import annotations

from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from app.blueprints.public.forms import SIGNATURE_FIELDS, OfferForm, typed
from app.models import Property
from app.offers.fields import ON_PAGE

NAMES = [one.name for one in ON_PAGE] + [*SIGNATURE_FIELDS, "consent", "website", "viewing_day", "step", "stamp"]
VALUES = st.sampled_from(
    ["", " ", "y", "false", "yes", "none", "cash", "2026-11-20", " 1 mai ", "a\u202eb\r\nc\0"]
) | st.text(max_size=12)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(NAMES), VALUES), max_size=40))
def test_a_form_reads_the_same_with_and_without_its_objects(app: Flask, pairs: list[tuple[str, str]]) -> None:
    sent = MultiDict(pairs)
    form, read = OfferForm(sent).bind(Property(field_rules={}, signature_required=True)), typed(sent)
    assert (read.texts, read.chosen, read.consent) == (form.texts(), form.chosen(), bool(form.consent.data))
