"""Invite links as people get them: an address under the clinic's public one, and its QR code."""

import segno
from flask import url_for
from markupsafe import Markup

from service.http import context


def link_of(token: str) -> str:
    """The whole address of an invite, as the settings say the clinic is reached; never by a request's Host header."""
    return context.wiring().settings.clinic.public_url + url_for("users.invite", token=token)


def qr_code(text: str) -> Markup:
    """The text as an SVG element with its own white ground, so that it is read from dark pages too."""
    code = segno.make(text, error="m", micro=False)
    return Markup(code.svg_inline(omitsize=True, dark="#000", light="#fff", border=4))  # noqa: S704 - holds no text
