# The load tests: docker build -f images/k6.Dockerfile -t eshop/k6:dev .
ARG K6_IMAGE=grafana/k6:1.8.1
FROM ${K6_IMAGE}
COPY k6 /scripts
WORKDIR /scripts
