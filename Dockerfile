# One image for every part: docker build -t citynet . ; the part is the argument (run gateway, run web, migrate ..).
FROM node:22-bookworm-slim AS bundle
WORKDIR /build/situation_center/web
COPY situation_center/web/package.json situation_center/web/package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY situation_center/web ./
RUN npm run build

FROM python:3.12-slim-bookworm AS build
ENV UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_PYTHON_DOWNLOADS=never
RUN pip install --no-cache-dir uv==0.13.9
WORKDIR /build
COPY pyproject.toml uv.lock ./
RUN uv sync --frozen --no-dev --no-install-project
COPY . ./
COPY --from=bundle /build/situation_center/vendor situation_center/vendor
RUN uv sync --frozen --no-dev --no-editable

FROM python:3.12-slim-bookworm
RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin citynet && install -d -o citynet -g citynet -m 0750 /var/lib/citynet /var/lib/citynet/nats /var/lib/citynet/logs
COPY --from=build /build/.venv /build/.venv
ENV PATH=/build/.venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 CITYNET_HOME=/var/lib/citynet CITYNET_LOG_FORMAT=json
USER 10001
WORKDIR /var/lib/citynet
ENTRYPOINT ["citynet"]
CMD ["--help"]
