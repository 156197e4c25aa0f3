"""Files over HTTP, as they come: the body itself, or a part of a form, streamed on into the database."""

import re
from dataclasses import dataclass, field
from urllib.parse import unquote

from pydantic import Field, TypeAdapter, ValidationError
from python_multipart import MultipartParser
from python_multipart.exceptions import MultipartParseError

from tidings import audience
from tidings.api._deps import Call
from tidings.api._fields import Body, ListRef
from tidings.api.problems import BodyTooLarge, UnsupportedMediaType, field_path
from tidings.audience import Choices, FileTooLarge, Import, ImportPolicy, Reading, Upload
from tidings.core.errors import FieldProblem, Invalid
from tidings.core.ids import ListId

_OPTIONS_LIMIT = 256 * 1024
_HEADERS_LIMIT = 16 * 1024
_RAW = frozenset(
    {
        "text/csv",
        "text/tab-separated-values",
        "application/csv",
        "application/octet-stream",
        "application/zip",
        "application/x-zip-compressed",
        "application/x-ndjson",
        "application/jsonl",
        "application/vnd.ms-excel",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    }
)


class UploadOptions(Body):
    """What a form may say beside its file: how to read it, what to do with it, and whether to begin at once."""

    list_ids: list[ListRef] | None = None
    tags: list[str] | None = None
    policy: ImportPolicy | None = None
    mapping: dict[str, str] = Field(default={})
    status: str | None = None
    delimiter: str = ""
    encoding: str = ""
    header: bool | None = None
    sheet: str = ""
    start: bool = False
    dry_run: bool = False


async def receive(call: Call) -> Import:
    """Take the file of a request in. Raises Invalid, FileTooLarge, UnsupportedMediaType; then nothing of it stays."""
    request = call.request
    kind, boundary = _content_type(request.headers.get("content-type", "application/octet-stream"))
    form = _Form(boundary) if kind == "multipart/form-data" and boundary else None
    if form is None and kind not in _RAW:
        message = "send the file as multipart/form-data with a part named file, or as it is with its own Content-Type"
        raise UnsupportedMediaType(f"{message}, such as text/csv or application/octet-stream")
    upload = Upload(call.app.db, call.workspace, call.app.import_limit)
    await upload.begin(filename=_filename(request.headers.get("content-disposition", "")), now=call.now)
    try:
        async for piece in request.stream():
            for data in form.feed(piece) if form else [piece]:
                await upload.write(data)
        options = form.end() if form else UploadOptions()
        filename = form.filename if form else _filename(request.headers.get("content-disposition", ""))
        reading = Reading(options.delimiter, options.encoding, options.header, options.sheet)
        done = await upload.end(filename=filename, reading=reading)
        if options.start or options.dry_run:
            async with call.app.db.transaction() as tx:
                done = await audience.queue_import(
                    tx,
                    workspace=call.workspace,
                    import_=upload.id,
                    choices=_choices(options),
                    dry_run=options.dry_run,
                    by=call.principal,
                    now=call.now,
                )
    except BaseException as error:
        await upload.give_up()
        if isinstance(error, FileTooLarge):
            raise BodyTooLarge(error.fields[0].message) from None
        raise
    return done


def _choices(options: UploadOptions) -> Choices:
    lists = None if options.list_ids is None else [ListId(list_id) for list_id in options.list_ids]
    return Choices(
        lists=lists, tags=options.tags, policy=options.policy, mapping=options.mapping, status=options.status
    )


@dataclass(slots=True)
class _Part:
    headers: bytearray = field(default_factory=bytearray)
    name: str = ""
    filename: str = ""


class _Form:
    """A form as it streams in (RFC 7578). Memory stays as small as its pieces."""

    def __init__(self, boundary: str) -> None:
        self.filename = ""
        self._out: list[bytes] = []
        self._options = bytearray()
        self._part = _Part()
        self._had_file = False
        self._whole = False
        self._parser = MultipartParser(
            boundary.encode("latin-1"),
            {
                "on_part_begin": self._begin,
                "on_header_field": self._header,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers_finished,
                "on_part_data": self._data,
                "on_end": self._end,
            },
        )

    def feed(self, piece: bytes) -> list[bytes]:
        """The next bytes of the body; returns those of the file among them. Raises Invalid."""
        self._out = []
        try:
            self._parser.write(piece)
        except MultipartParseError as error:
            raise Invalid.at("file", f"the form is broken: {error}") from None
        return self._out

    def end(self) -> UploadOptions:
        """The form is complete. Raises Invalid."""
        if not self._whole:
            raise Invalid.at("file", "the form ends in the middle")
        if not self._had_file:
            raise Invalid.at("file", "the form has no part named file")
        if not self._options:
            return UploadOptions()
        try:
            return TypeAdapter(UploadOptions).validate_json(bytes(self._options))
        except ValidationError as error:
            problems = tuple(
                FieldProblem(field_path(("options", *e["loc"])), str(e["msg"]).removeprefix("Value error, "))
                for e in error.errors()[:20]
            )
            raise Invalid("; ".join(f"{p.field}: {p.message}" for p in problems[:5]), fields=problems) from None

    def _begin(self) -> None:
        self._part = _Part()

    def _header(self, data: bytes, start: int, end: int) -> None:
        self._part.headers += data[start:end]
        if len(self._part.headers) > _HEADERS_LIMIT:
            raise Invalid.at("file", "the headers of a part are too long")

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        if b":" not in self._part.headers.rpartition(b"\n")[2]:
            self._part.headers += b":"
        self._header(data, start, end)

    def _header_end(self) -> None:
        self._part.headers += b"\n"

    def _headers_finished(self) -> None:
        part = self._part
        lines = bytes(part.headers).decode("utf-8", "replace").split("\n")
        told = next((line for line in lines if line.lower().startswith("content-disposition:")), "")
        name = re.search(r';\s*name="?([^";]*)"?', told)
        part.name = name[1] if name else ""
        part.filename = _filename(told)
        if part.name == "file":
            if self._had_file:
                raise Invalid.at("file", "the form has two parts named file; send one file at a time")
            self._had_file = True
            self.filename = part.filename
        elif part.name != "options":
            raise Invalid.at(part.name[:100] or "file", "is no part of this form; it has file and options")

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._part.name == "file":
            self._out.append(data[start:end])
            return
        self._options += data[start:end]
        if len(self._options) > _OPTIONS_LIMIT:
            raise Invalid.at("options", f"may have {_OPTIONS_LIMIT} bytes")

    def _end(self) -> None:
        self._whole = True


def _content_type(header: str) -> tuple[str, str]:
    kind, _, parameters = header.partition(";")
    boundary = re.search(r'boundary="?([^";,\s]{1,70})"?', parameters, re.IGNORECASE)
    return kind.strip().lower(), boundary[1] if boundary else ""


def _filename(disposition: str) -> str:
    """The name of the file in a Content-Disposition (RFC 6266)."""
    if extended := re.search(r"filename\*=(?:utf-8|iso-8859-1)'[^']*'([^;]+)", disposition, re.IGNORECASE):
        return unquote(extended[1].strip(), errors="replace")
    plain = re.search(r'filename="((?:[^"\\]|\\.)*)"|filename=([^;]+)', disposition)
    return (plain[1] or plain[2] or "").strip() if plain else ""
