# Sediment's image: `docker build -t sediment .`
#
# Runs as user 1000 on a read-only root; only /data is written. The first process is Node itself: `sediment run`
# handles SIGTERM (drain, commit, exit 0) and starts no other processes, so no init is needed.

FROM node:24.21.0-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src src
RUN npm run build && npm prune --omit=dev --no-audit --no-fund

FROM node:24.21.0-bookworm-slim
LABEL org.opencontainers.image.title="Sediment" \
      org.opencontainers.image.description="A Kafka sink that settles every message, exactly once, into time-ordered blob blocks" \
      org.opencontainers.image.licenses="Apache-2.0"
WORKDIR /app
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY package.json ./
COPY bin bin
COPY config config
RUN mkdir -p /data && chown 1000:1000 /data

# The thread pool does the syncs; libuv reads its size before any program code runs.
ENV NODE_ENV=production \
    UV_THREADPOOL_SIZE=16
USER 1000:1000
VOLUME /data
EXPOSE 8383
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.SEDIMENT_HTTP_PORT || 8383}/livez`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "/app/bin/sediment.cjs"]
CMD ["run", "--config", "/app/config/docker-compose.yaml"]
