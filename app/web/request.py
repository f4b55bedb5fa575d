"""The request class: uploads stay in memory, and form fields hold text only."""

from __future__ import annotations

from io import BytesIO
from typing import IO, Any

import flask
from werkzeug.datastructures import ImmutableMultiDict
from werkzeug.exceptions import HTTPException
from werkzeug.utils import cached_property

from app.core.values import typed_text

AS_TYPED = frozenset({"password", "present"})  # compared, and never shown or kept as text


class Request(flask.Request):
    """Uploads stay in memory: personal data is in no temporary file.

    Fields and queries come without marks that nobody sees, whichever form they stand in; line ends are its reader's.

    To every view a HEAD is a GET, as RFC 9110 (section 9.3.2) has it: what asks for `GET` would else take it for the
    button of its form, and a form's token is not asked of it. The answer's body is left out by Werkzeug.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self.method == "HEAD":
            self.method = "GET"

    def _get_file_stream(self, *_args: object, **_options: object) -> IO[bytes]:
        return BytesIO()

    @cached_property
    def args(self) -> ImmutableMultiDict[str, str]:
        """The query, as typed into a filter; a machine's stays as it is, and is refused where it is no text."""
        asked = super().args.items(multi=True)
        typed = not self.path.startswith("/api/")
        return ImmutableMultiDict(
            [(name, _cleaned(name, text.replace("\0", " ")) if typed else text) for name, text in asked]
        )

    def _load_form_data(self) -> None:
        if "form" in self.__dict__:
            return
        try:
            super()._load_form_data()
        except HTTPException:  # too large, too many parts: whoever answers that asks for the form once more
            self.__dict__.update(form=ImmutableMultiDict(), files=ImmutableMultiDict())
            raise
        kept = [(name, _cleaned(name, text)) for name, text in self.form.items(multi=True) if name is not None]
        self.__dict__["form"] = ImmutableMultiDict(kept)  # a part may leave its name out, for all that its type says
        files = [(name, file) for name, file in self.files.items(multi=True) if name is not None]
        self.__dict__["files"] = ImmutableMultiDict(files)


def _cleaned(name: str, text: str) -> str:
    if name in AS_TYPED or (text.isascii() and text.isprintable()):
        return text
    return "\r".join(typed_text(part) for part in text.split("\r"))
