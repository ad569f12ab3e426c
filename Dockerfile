# One image for the app and the worker: `docker run IMAGE app`, `docker run IMAGE worker`.
FROM python:3.11-slim-bookworm AS built
WORKDIR /build
COPY requirements.txt .
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --require-hashes -r requirements.txt

FROM python:3.11-slim-bookworm
RUN groupadd --gid 10001 city \
    && useradd --uid 10001 --gid city --no-create-home --shell /usr/sbin/nologin city \
    && install -d -o city -g city /data
COPY --from=built /venv /venv
WORKDIR /city
COPY .streamlit/config.toml .streamlit/config.toml
COPY static static
COPY pages pages
COPY cityverse cityverse
COPY Home.py app.py requirements.txt ./
# Compiled here, since the running container writes nowhere but to /data and /tmp.
RUN /venv/bin/python -m compileall -q cityverse pages Home.py app.py
ENV PATH=/venv/bin:$PATH \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    CITYVERSE_STORE=aws \
    CITYVERSE_DATA_DIR=/data \
    CITYVERSE_HOST=0.0.0.0 \
    CITYVERSE_DEMO=false \
    CITYVERSE_OPEN_BROWSER=false
VOLUME /data
EXPOSE 8501
USER 10001:10001
# Of the app; the worker is started with --no-healthcheck, and watched by its rounds.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8501/healthz', timeout=4)"]
ENTRYPOINT ["python", "-m", "cityverse"]
CMD ["app"]
