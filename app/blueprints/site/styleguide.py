"""Every component in every state, on a developer's machine."""

from __future__ import annotations

from flask import render_template
from werkzeug.datastructures import MultiDict
from wtforms import BooleanField, FileField, Form, RadioField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice

from app.blueprints.offers.rows import ShownRow, ShownRows
from app.blueprints.site.routes import site
from app.stats.charts import bars, columns
from app.web.guards import Guard, policy

ANSWERS = [SelectChoice(value, f"Answer {value}") for value in ("one", "two")]


ROWS = ShownRows(
    ShownRow(
        id=f"shown-{number}",
        url="#tables",
        who=who,
        reference="BF-7VEF9A9W",
        property_title="House with a garden in Brașov",
        amount=amount,
        share=share,
        financing="Cash",
        term="30 days",
        status=status,
        status_text=status.capitalize(),
        marks=marks,
        choose=f"Choose {who}",
        answers=f"Answer {who}" if share else "",
        submitted_at="2026-11-23",
        submitted="23 Nov, 10:15",
    )
    for number, (who, status, amount, share, marks) in enumerate(
        (
            ("Ana Pop", "new", "118.500 EUR", "94,8%", [("expired", "warn")]),
            ("Alexandrina-Mărioara Constantinescu-Țepeș", "accepted", "1.118.500,50 EUR", "102%", []),
            ("Erased", "rejected", "9 RON", "", [("unconfirmed", "warn"), ("replaced", "")]),
        )
    )
)


class Fields(Form):
    name = StringField("Full name")
    amount = StringField("Amount")
    message = TextAreaField("Message")
    kind = SelectField("Kind", choices=ANSWERS, validate_choice=False)
    answer = RadioField("Answer", choices=ANSWERS, validate_choice=False)
    agree = BooleanField("I have read it")
    photo = FileField("Photo")


@site.get("/app/styleguide")
@policy(Guard.DEVELOPMENT, limit="120/minute")
def styleguide() -> str:
    """What `templates/components` and the style sheets hold."""
    wrong = Fields(MultiDict({"wrong-name": "A. Pop " * 12, "wrong-amount": "a lot"}), prefix="wrong-")
    for field in wrong:
        field.errors = ["Say what is wrong, and how to mend it"]
    charts = {
        "columns": columns("columns", (2, 1, 4, 3, 6, 5), title="Offers over time", text="2, 1, 4, 3, 6, 5"),
        "bars": bars("bars", (("New", 20), ("Viewed", 14), ("Accepted", 5)), title="Offers by status"),
    }
    return render_template("site/styleguide.html", plain=Fields(), wrong=wrong, charts=charts, rows=ROWS)
