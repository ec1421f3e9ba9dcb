# Satisface without tensorflow: the dashboard, a worker, or a reader of a cluster, by its command.
# docker build -t satisface .
# docker run -p 127.0.0.1:8501:8501 -e SATISFACE_PROXY_SIGNS_IN=true -v satisface:/var/lib/satisface satisface
# Inside a container everybody comes from another address; -p says who can come at all.
FROM python:3.12-slim-bookworm AS build
WORKDIR /build
COPY requirements-runtime.txt .
RUN python -m venv /opt/satisface \
    && /opt/satisface/bin/pip install --no-cache-dir --require-hashes -r requirements-runtime.txt

FROM python:3.12-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /var/lib/satisface --create-home satisface
COPY --from=build /opt/satisface /opt/satisface
WORKDIR /app
COPY . .
ENV PATH=/opt/satisface/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    SATISFACE_HOME=/var/lib/satisface
USER 10001
VOLUME /var/lib/satisface
EXPOSE 8501
# The body is looked at: Streamlit answers 200 on paths that it does not know.
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s \
    CMD ["python", "-c", "import json, urllib.request as u; assert json.load(u.urlopen('http://127.0.0.1:8501/healthz'))['status'] == 'ok'"]
CMD ["streamlit", "run", "app.py", "--server.address", "0.0.0.0", "--server.port", "8501"]
