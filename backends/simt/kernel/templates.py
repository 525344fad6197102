"""The templates of SIMT kernels and of their files."""

from __future__ import annotations

from pathlib import Path

import jinja2

from uol.backends.c_text.template_folder import template_of

TEMPLATES = Path(__file__).parent.parent / "templates"


def template(name: str) -> jinja2.Template:
    """A template of that folder. A name that its data lacks is an error."""
    return template_of(TEMPLATES, name)
