"""What a page says."""

from collections.abc import Iterator
from typing import Any, Final

from streamlit.testing.v1 import AppTest

_MARKDOWN: Final = frozenset({"body", "caption", "content", "help", "label", "text", "title"})
_PLAIN: Final = frozenset({"html", "text"})


def words(app: AppTest) -> str:
    """Everything that is written on the page, without Markdown's escapes."""
    elements = [
        *app.title,
        *app.subheader,
        *app.markdown,
        *app.caption,
        *app.info,
        *app.warning,
        *app.error,
        *app.success,
    ]
    return "\n".join(str(element.value) for element in elements).replace("\\", "")


def metrics(app: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.metric}


def buttons(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


def markdown(app: AppTest) -> list[str]:
    """Every text of the page that a browser takes for Markdown: what is written, and the labels,
    helps and captions of what can be used."""
    nodes = [node for node in app._tree if getattr(node, "proto", None) is not None]
    return [text for node in nodes if node.type not in _PLAIN for text in _texts(node.proto)]


def _texts(message: Any) -> Iterator[str]:
    """``message``: of protobuf, with others in it."""
    for field, value in message.ListFields():
        for each in value if field.is_repeated else [value]:
            if hasattr(each, "ListFields"):
                yield from _texts(each)
            elif field.name in _MARKDOWN and isinstance(each, str):
                yield each
