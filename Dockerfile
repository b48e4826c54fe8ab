# The proxy, built by the target that CI runs (make release), on a small Debian whose libxml2 and OpenSSL it links.
FROM docker.io/library/rust:1.95.0-slim-bookworm AS build
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
# For make itself; scripts/setup installs the rest, and says what.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends make
WORKDIR /source
COPY . .
RUN make release

FROM docker.io/library/debian:bookworm-slim
# openssl is for config/compose/prepare.
# Versions are the distribution's: building anew brings its security fixes.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates libssl3 libxml2 openssl \
 && rm -rf /var/lib/apt/lists/* \
 && install -d -o 10001 -g 10001 -m 0700 /var/lib/countersign
COPY --from=build /source/target/release/countersign /usr/local/bin/countersign
# Relative paths of the embedded default, and of the commands, begin here. Nothing else is written to.
WORKDIR /var/lib/countersign
VOLUME /var/lib/countersign
USER 10001:10001
EXPOSE 8080 9090
# Beyond plain HTTP on port 9090, give --admin and --ca.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD ["countersign", "healthcheck"]
ENTRYPOINT ["countersign"]
CMD ["serve", "--config", "/etc/countersign/countersign.toml"]
