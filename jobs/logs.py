"""One form of log lines for the dashboard, the worker and the processes of its pool: one line for
each event, whatever happens.

A message may carry fields as ``name=value``; what is left of it is the event. As text they stand
as they were written; as JSON each is a field of its own.
"""

import json
import logging
import re
from datetime import UTC, datetime
from typing import Final, Literal

_FIELD: Final = re.compile(r"(?:^|\s)([a-z_]+)=(\S+)")
_NUMBER: Final = re.compile(r"-?\d{1,18}(\.\d+)?")

LogFormat = Literal["text", "json"]


_handler: Final = logging.StreamHandler()


def log_to_terminal(form: LogFormat | None = None) -> None:
    """To standard error. Whoever runs several machines collects it from there.

    ``form``: None means as the settings say. May be called again with another form.
    """
    if form is None:
        from settings import settings  # costly to load for who only wants to say what went wrong

        form = settings().log_format
    _handler.setFormatter(JsonLines() if form == "json" else TextLines())
    root = logging.getLogger()
    root.addHandler(_handler)  # once, however often it is added
    root.setLevel(logging.INFO)
    logging.getLogger("alembic").setLevel(logging.WARNING)


class TextLines(logging.Formatter):
    """``2026-03-02T12:00:00.000Z INFO jobs.worker worker=shop:7 started``; what belongs to an
    exception follows on the same line."""

    def format(self, record: logging.LogRecord) -> str:
        parts = [_time(record), record.levelname, record.name, record.getMessage()]
        if trouble := _trouble(self, record):
            parts.append(f"exception={json.dumps(trouble)}")
        return " ".join(" ".join(parts).splitlines())


class JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage()
        event = " ".join(_FIELD.sub("", message).split())
        line: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": event,
        }
        for name, value in _FIELD.findall(message):
            line.setdefault(name, _value(value))
        if trouble := _trouble(self, record):
            line["exception"] = trouble
        return json.dumps(line, ensure_ascii=False)


def _time(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _trouble(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    return formatter.formatException(record.exc_info) if record.exc_info else ""


def _value(text: str) -> int | float | str:
    if not _NUMBER.fullmatch(text):
        return text
    return float(text) if "." in text else int(text)
