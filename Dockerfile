# One build for all images; each program is a target: docker build --target broker .
FROM rust:1-bookworm AS build
WORKDIR /src
COPY . .
# zlib goes into the binaries, since the runtime image has none.
ENV LIBZ_SYS_STATIC=1
# Compose asks for five targets at once: the lock lets one build run, and the others find its work done.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/src/target,sharing=locked \
    cargo build --release --locked \
      -p broker -p producer-raw-recipes -p parser-recipes -p consumer-notification -p sample-site -p recipe-alert \
 && mkdir -p /out/data \
 && cd target/release \
 && cp broker producer-raw-recipes parser-recipes consumer-notification sample-site recipe-alert /out/

FROM gcr.io/distroless/cc-debian12:nonroot AS runtime
USER 65532

FROM runtime AS broker
COPY --from=build /out/broker /usr/local/bin/
# A new named volume takes over the owner of the folder it is mounted on.
COPY --from=build --chown=65532:65532 /out/data /var/lib/kafka/data
ENV KAFKA_LOG_DIRS=/var/lib/kafka/data
VOLUME /var/lib/kafka/data
EXPOSE 9092 29092 8083
ENTRYPOINT ["broker"]
CMD ["start"]

FROM runtime AS producer-raw-recipes
COPY --from=build /out/producer-raw-recipes /usr/local/bin/
EXPOSE 8081
ENTRYPOINT ["producer-raw-recipes"]

FROM runtime AS parser-recipes
COPY --from=build /out/parser-recipes /usr/local/bin/
EXPOSE 8082
ENTRYPOINT ["parser-recipes"]

FROM runtime AS consumer-notification
COPY --from=build /out/consumer-notification /usr/local/bin/
EXPOSE 8080
ENTRYPOINT ["consumer-notification"]

FROM runtime AS sample-site
COPY --from=build /out/sample-site /usr/local/bin/
EXPOSE 8088
ENTRYPOINT ["sample-site"]

# Everything in one container: docker run --rm -p 8080:8080 -v recipe-alert:/data $(docker build -q .)
FROM runtime AS recipe-alert
COPY --from=build /out/recipe-alert /usr/local/bin/
COPY --from=build --chown=65532:65532 /out/data /data
ENV DATA=/data LISTEN=0.0.0.0:8080
VOLUME /data
EXPOSE 8080
ENTRYPOINT ["recipe-alert"]
