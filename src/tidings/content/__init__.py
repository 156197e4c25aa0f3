"""What is said? Templates and their versions, Liquid compiled to run at full speed, previews.

Owns: templates, template_versions.
"""

from tidings.content._compile import Compiled, compile_liquid
from tidings.content._context import Occasion, Row, read_attributes
from tidings.content._emitter import PLAIN, Encoding
from tidings.content._environment import RecipientUrls
from tidings.content._links import replace_html_links, replace_text_links
from tidings.content._parse import InvalidTemplate, RenderError, compiles_alone, uses_variable

__all__ = [
    "PLAIN",
    "Compiled",
    "Encoding",
    "InvalidTemplate",
    "Occasion",
    "RecipientUrls",
    "RenderError",
    "Row",
    "compile_liquid",
    "compiles_alone",
    "read_attributes",
    "replace_html_links",
    "replace_text_links",
    "uses_variable",
]
