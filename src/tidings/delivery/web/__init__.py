"""A message as a web page."""

from tidings.delivery.web._web import (
    PageNotFound,
    PageTooDear,
    WebContent,
    WebMessage,
    WebPage,
    public_content,
    web_content,
    web_recipient,
)

__all__ = [
    "PageNotFound",
    "PageTooDear",
    "WebContent",
    "WebMessage",
    "WebPage",
    "public_content",
    "web_content",
    "web_recipient",
]
