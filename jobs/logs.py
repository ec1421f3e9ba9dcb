"""One form of log lines for the dashboard, the worker and the processes of its pool."""

import logging


def log_to_terminal() -> None:
    """To standard error. Whoever runs several machines collects it from there."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
