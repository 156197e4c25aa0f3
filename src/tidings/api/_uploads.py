"""Files over HTTP, as they come: the body itself, or a part of a form, streamed on into the database."""

import hashlib
from collections.abc import Callable, Mapping

from fastapi import Response
from pydantic import Field, TypeAdapter, ValidationError

from tidings.api._deps import Call
from tidings.api._fields import Body, Flag, ListRef
from tidings.api._idempotency import Once
from tidings.api._multipart import Form, content_type_in, filename_in
from tidings.api.problems import BodyTooLarge, UnsupportedMediaType, field_path
from tidings.audience import imports
from tidings.audience.imports import Choices, FileTooLarge, Import, ImportPolicy, Reading, Upload
from tidings.core.errors import FieldProblem, Invalid
from tidings.core.ids import ListId

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
    header: Flag | None = None
    sheet: str = ""
    start: Flag = False
    dry_run: Flag = False


async def receive(call: Call, answer: Callable[[Import], Response]) -> Response:
    """Take the file of a request in, and answer; the same request again with its Idempotency-Key gets the first one's answer.

    Raises Invalid, FileTooLarge, UnsupportedMediaType; then nothing of it stays.
    """
    request = call.request
    kind, boundary = content_type_in(request.headers.get("content-type", "application/octet-stream"))
    form = Form(boundary, texts=("options",)) if kind == "multipart/form-data" and boundary else None
    if form is None and kind not in _RAW:
        message = "send the file as multipart/form-data with a part named file, or as it is with its own Content-Type"
        raise UnsupportedMediaType(f"{message}, such as text/csv or application/octet-stream")
    upload = Upload(call.app.db, call.workspace, call.app.import_limit)
    content = hashlib.sha256()
    await upload.begin(filename=filename_in(request.headers.get("content-disposition", "")), now=call.now)
    try:
        async for piece in request.stream():
            for data in form.feed(piece) if form else [piece]:
                content.update(data)
                await upload.write(data)
        options = _options(form.end()) if form else UploadOptions()
        filename = form.filename if form else filename_in(request.headers.get("content-disposition", ""))
        reading = Reading(options.delimiter, options.encoding, options.header, options.sheet)
        await upload.look(filename=filename, reading=reading)
        # Of a form what it says, not how: its boundaries are others each time.
        said = f"{filename}\n{options.model_dump_json()}\n".encode()
        async with call.app.db.transaction() as tx:
            call.enter(tx)
            once = Once.of(call, said + content.digest())
            earlier = None if once is None else await once.earlier()
            if earlier is None:
                done = await upload.finish(tx)
                if options.start or options.dry_run:
                    done = await imports.queue_import(
                        tx,
                        workspace=call.workspace,
                        import_=upload.id,
                        choices=_choices(options),
                        dry_run=options.dry_run,
                        by=call.principal,
                        now=call.now,
                    )
                response = answer(done)
                if once is not None:
                    await once.remember(response)
            else:
                response = earlier
    except BaseException as error:
        await upload.give_up()
        if isinstance(error, FileTooLarge):
            raise BodyTooLarge(error.fields[0].message) from None
        raise
    if earlier is not None:
        await upload.give_up()
    return response


def _choices(options: UploadOptions) -> Choices:
    lists = None if options.list_ids is None else [ListId(list_id) for list_id in options.list_ids]
    return Choices(
        lists=lists, tags=options.tags, policy=options.policy, mapping=options.mapping, status=options.status
    )


def _options(texts: Mapping[str, bytes]) -> UploadOptions:
    if not texts.get("options"):
        return UploadOptions()
    try:
        return TypeAdapter(UploadOptions).validate_json(texts["options"])
    except ValidationError as error:
        problems = tuple(
            FieldProblem(field_path(("options", *e["loc"])), str(e["msg"]).removeprefix("Value error, "))
            for e in error.errors()[:20]
        )
        raise Invalid("; ".join(f"{p.field}: {p.message}" for p in problems[:5]), fields=problems) from None
