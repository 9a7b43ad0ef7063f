#!/usr/bin/env bash
# kafka-run-class.sh CLASS ARGUMENT…: used by the command line tools and the broker.
set -euo pipefail

config=/opt/kafka/config/tools-log4j2.yaml
[ -e "$config" ] || config=/etc/kafka/docker/tools-log4j2.yaml

# Settings for short runs and small heaps: they start quickly, and several brokers fit on one machine. Each is a list of
# options, hence no quotes.
# shellcheck disable=SC2086
exec java ${KAFKA_HEAP_OPTS:--Xmx256m} \
  ${KAFKA_JVM_PERFORMANCE_OPTS:--XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Djava.awt.headless=true} \
  ${KAFKA_LOG4J_OPTS:--Dlog4j2.configurationFile=$config} ${KAFKA_JMX_OPTS:-} ${KAFKA_OPTS:-} \
  -cp '/opt/kafka/libs/*' "$@"
