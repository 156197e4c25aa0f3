"""What is said? Templates and their versions, Liquid compiled to run at full speed, previews.

Owns: templates, template_versions, blocks, media, media_doubts, attachments,
attachment_files. Emits nothing.
"""

from tidings.content._anything import render_line, render_liquid
from tidings.content._attachment_rules import HEAVY, check_files, content_type_of, wire_size
from tidings.content._attachments import (
    Attached,
    AttachmentInvalid,
    AttachmentNotFound,
    StoredAttachment,
    add_attachment,
    attachments_of,
    get_attachment,
    load_files,
)
from tidings.content._blocks import (
    Block,
    BlockExists,
    BlockInUse,
    BlockNotFound,
    count_blocks,
    create_block,
    delete_block,
    get_block,
    list_blocks,
    update_block,
)
from tidings.content._compile import Compiled, compile_liquid
from tidings.content._context import Occasion, Row, read_attributes
from tidings.content._differences import Difference, diff_versions
from tidings.content._emitter import PLAIN, Encoding
from tidings.content._environment import RecipientUrls
from tidings.content._footer import with_footer
from tidings.content._limits import LimitExceeded
from tidings.content._links import replace_html_links, replace_text_links
from tidings.content._media import (
    Media,
    MediaBusy,
    MediaInUse,
    MediaNotFound,
    add_media,
    count_media,
    delete_media,
    get_media,
    list_media,
    sweep_media,
    update_media,
)
from tidings.content._media_library import MediaLibrary, MediaTooLarge, MediaUpload, Received
from tidings.content._parse import RenderError, TemplateInvalid, compiles_alone, uses_variable
from tidings.content._parts import Parts
from tidings.content._pictures import ImageInvalid
from tidings.content._plaintext import one_line, plain_text
from tidings.content._preview import Missing, Preview, Sample, preview
from tidings.content._sources import SourceType, as_liquid, compile_source, document_schemas
from tidings.content._templates import (
    FrozenTemplate,
    Summary,
    Template,
    TemplateInUse,
    TemplateNotFound,
    Version,
    count_templates,
    create_template,
    delete_template,
    freeze,
    get_template,
    list_templates,
    list_versions,
    restore_version,
    update_template,
)

__all__ = [
    "HEAVY",
    "PLAIN",
    "Attached",
    "AttachmentInvalid",
    "AttachmentNotFound",
    "Block",
    "BlockExists",
    "BlockInUse",
    "BlockNotFound",
    "Compiled",
    "Difference",
    "Encoding",
    "FrozenTemplate",
    "ImageInvalid",
    "LimitExceeded",
    "Media",
    "MediaBusy",
    "MediaInUse",
    "MediaLibrary",
    "MediaNotFound",
    "MediaTooLarge",
    "MediaUpload",
    "Missing",
    "Occasion",
    "Parts",
    "Preview",
    "Received",
    "RecipientUrls",
    "RenderError",
    "Row",
    "Sample",
    "SourceType",
    "StoredAttachment",
    "Summary",
    "Template",
    "TemplateInUse",
    "TemplateInvalid",
    "TemplateNotFound",
    "Version",
    "add_attachment",
    "add_media",
    "as_liquid",
    "attachments_of",
    "check_files",
    "compile_liquid",
    "compile_source",
    "compiles_alone",
    "content_type_of",
    "count_blocks",
    "count_media",
    "count_templates",
    "create_block",
    "create_template",
    "delete_block",
    "delete_media",
    "delete_template",
    "diff_versions",
    "document_schemas",
    "freeze",
    "get_attachment",
    "get_block",
    "get_media",
    "get_template",
    "list_blocks",
    "list_media",
    "list_templates",
    "list_versions",
    "load_files",
    "one_line",
    "plain_text",
    "preview",
    "read_attributes",
    "render_line",
    "render_liquid",
    "replace_html_links",
    "replace_text_links",
    "restore_version",
    "sweep_media",
    "update_block",
    "update_media",
    "update_template",
    "uses_variable",
    "wire_size",
    "with_footer",
]
