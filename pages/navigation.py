"""The frame around every page: title, logo, menu, and the banner over invented data."""

from pathlib import Path

import streamlit as st

from pages.format import escaped, fate_of_footage, listed
from pages.state import app_version, show_message, sites
from pages.trouble import DIALOG, ZONES_TO_SAVE, told
from settings import settings

_ASSETS = Path(__file__).parent / "assets"
_SIDEBAR_PX = 220
_ABOUT = """**Satisface** {version}: how did our customers look today, and is it getting better?

Nothing leaves your own installation but the reports that you have mailed. Footage is {fate}; no
face is cut out and kept, and no identity."""

# A page that keeps itself up to date would otherwise flash "Running" and offer to stop it.
_STYLE = '<style>[data-testid="stStatusWidget"] { display: none; }</style>'

# Page files have names that no other module of ours has: Streamlit puts this folder on the import
# path while it runs a page, and pages/settings.py would stand before settings.py.
_PAGES = (
    ("overview.py", "Overview", ":material/monitoring:", ""),
    ("compare.py", "Compare", ":material/leaderboard:", "compare"),
    ("upload.py", "Upload", ":material/upload_file:", "upload"),
    ("recordings.py", "Recordings", ":material/video_library:", "recordings"),
    ("report.py", "Reports", ":material/description:", "reports"),
    ("model.py", "Model", ":material/neurology:", "model"),
    ("configuration.py", "Settings", ":material/tune:", "settings"),
)


def main() -> None:
    st.session_state.pop(DIALOG, None)  # a page that is drawn as a whole begins without
    st.set_page_config(
        # A file of ours, and before the pages are named: from their Material icons the browser
        # would fetch a favicon from elsewhere.
        page_icon=str(_ASSETS / "favicon.png"),
        layout="wide",
        initial_sidebar_state=_SIDEBAR_PX,
        menu_items={
            "About": _ABOUT.format(version=app_version(), fate=fate_of_footage(settings()))
        },
    )
    pages = [
        st.Page(file, title=title, icon=icon, url_path=path, default=not path)
        for file, title, icon, path in _PAGES
    ]
    page = st.navigation(pages)
    camera_id, _ = st.session_state.get(ZONES_TO_SAVE, (None, None))
    if (page.url_path, st.query_params.get("zones")) != ("settings", str(camera_id)):
        # Whoever left the board no longer waits for them.
        st.session_state.pop(ZONES_TO_SAVE, None)
    st.logo(str(_ASSETS / "logo.svg"), icon_image=str(_ASSETS / "mark.svg"), size="large")
    st.html(_STYLE)
    with told(f"page {page.url_path!r}", key="try_again"):
        if page.url_path != "model":  # the model's figures are measured, whatever the data
            _banner()
        show_message()
        page.run()


def _banner() -> None:
    everywhere = sites()
    invented = [site.name for site in everywhere if site.is_demonstration]
    if not invented:
        return
    if len(invented) == len(everywhere):
        what = "Everything here is"
    else:
        names = listed(f"**{escaped(name)}**" for name in invented)
        what = f"{names} {'is' if len(invented) == 1 else 'are'}"
    st.warning(
        f"Invented data: {what} made up to look around with; nothing of it was measured.",
        icon=":material/science:",
    )


main()
