"""What a page says."""

from streamlit.testing.v1 import AppTest


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
