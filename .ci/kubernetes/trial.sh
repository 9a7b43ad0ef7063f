# shellcheck shell=bash
# Sourced by `try` and `keda`: what both need beside the cluster (Kafka with TLS and passwords, the simulator, Prometheus, a collector of
# spans), the worker's image on the nodes, load, and what they ask of all these. `worker` and `simulator` are the binaries.
need_helm
need_packages curl=curl jq=jq prometheus=prometheus promtool=prometheus openssl=openssl /usr/bin/python3=python3

chart=$top/deploy/chart
space=timeline
release=timeline
name=$release-kustomer-ingest
pods=app.kubernetes.io/name=kustomer-ingest,app.kubernetes.io/instance=$release
# tools reach the broker in the clear, pods with TLS and a password
broker=$host:9092 api=http://$host:8080 prometheus=http://$host:9090
kafka_container=kustomer-ingest-cluster-kafka
partitions=6
work=$(mktemp -d "${TMPDIR:-/tmp}/cluster.XXXXXX")
values=(--values "$work/values.yaml")
loading=
watching=
started=$SECONDS

cleanup() {
  local status=$?
  trap - EXIT INT TERM
  rm -f "$work/go-on"
  [ -z "$watching" ] || kill "$watching" 2>/dev/null || true
  if [ $status != 0 ]; then
    kubectl -n $space get pods -o wide >&2 || true
    kubectl -n $space get events --sort-by=.lastTimestamp 2>/dev/null | tail -n 15 >&2 || true
    kubectl -n $space logs -l $pods --all-containers --prefix --tail=15 >&2 || true
  fi
  [ -z "$loading" ] || wait "$loading" 2>/dev/null || true
  local daemon pid program
  for daemon in simulator prometheus collector; do
    read -r pid program 2>/dev/null <"$run/pid/$daemon" || continue
    [ "$(tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline" | head -n 1)" != "$program" ] || kill -KILL "$pid"
    rm "$run/pid/$daemon"
  done
  docker rm -f $kafka_container >/dev/null 2>&1 || true
  # another trial begins with nothing
  helm_quiet uninstall $release --namespace $space >/dev/null 2>&1 || true
  kubectl delete namespace $space --wait=false >/dev/null 2>&1 || true
  rm -rf "$work" "$run/prometheus"
  exit $status
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# done_with WHAT: one line of the log, with the seconds that it took
step=$SECONDS
done_with() {
  printf '%4d s  %3d s  %s\n' $((SECONDS - started)) $((SECONDS - step)) "$*"
  step=$SECONDS
}
# until_true SECONDS WHAT COMMAND…
until_true() {
  local limit=$1 what=$2 from=$SECONDS
  shift 2
  until "$@" >/dev/null 2>&1; do
    ((SECONDS - from < limit)) || die "$what: not within $limit s"
    sleep 1
  done
}

# --- what stands beside the cluster ---

# images TAG…: the worker in an image, once for each tag, so that there is another one to update to
images() {
  local tag
  mkdir "$work/image"
  objcopy --strip-all "$worker" "$work/image/kustomer-ingest" 2>/dev/null || cp "$worker" "$work/image/kustomer-ingest"
  cat >"$work/image/Dockerfile" <<'DOCKER'
FROM debian:bookworm-slim
COPY kustomer-ingest /usr/local/bin/
USER 65532:65532
WORKDIR /etc/kustomer-ingest
ENTRYPOINT ["kustomer-ingest"]
DOCKER
  for tag; do
    quietly docker build --label try="$tag" -t "kustomer-ingest:$tag" "$work/image" || die "the image"
    load_images "kustomer-ingest:$tag"
  done
}

kafka() {
  local tool=$1
  shift
  docker exec -i $kafka_container "/opt/kafka/bin/kafka-$tool.sh" --bootstrap-server "$broker" "$@"
}
# kafka_password PASSWORD: of the worker's user, in place of the former one
kafka_password() {
  kafka configs --alter --add-config "SCRAM-SHA-512=[password=$1]" --entity-type users --entity-name worker >/dev/null
}

# start_kafka: with a certificate of the cluster's own authority, which pods trust by a ConfigMap. Who has proved a password has to prove it
# again after half a minute, so that a former one does not last.
start_kafka() {
  local topic secrets=$work/broker authority=$run/keys/authority
  mkdir "$secrets"
  openssl ecparam -name prime256v1 -genkey -noout 2>/dev/null | openssl pkcs8 -topk8 -nocrypt -out "$secrets/key"
  openssl req -new -key "$secrets/key" -subj /CN=kafka | openssl x509 -req -CA "$authority.crt" -CAkey "$authority.key" -days 30 \
    -set_serial "0x$(openssl rand -hex 8)" -extfile <(echo "subjectAltName=IP:$host") -out "$secrets/certificate" 2>/dev/null
  cat "$secrets/key" "$secrets/certificate" "$authority.crt" >"$secrets/broker.pem"
  # the broker's user is not this one
  chmod 755 "$secrets"
  chmod 644 "$secrets/broker.pem"
  docker rm -f $kafka_container >/dev/null 2>&1 || true
  docker run -d --name $kafka_container --network host -v "$secrets:/etc/kafka-broker:ro" \
    -e KAFKA_NODE_ID=1 -e KAFKA_PROCESS_ROLES=broker,controller \
    -e KAFKA_CONTROLLER_QUORUM_VOTERS="1@$host:9093" -e KAFKA_CONTROLLER_LISTENER_NAMES=CONTROLLER \
    -e KAFKA_LISTENERS="TOOLS://$broker,PODS://$host:9094,CONTROLLER://$host:9093" \
    -e KAFKA_ADVERTISED_LISTENERS="TOOLS://$broker,PODS://$host:9094" -e KAFKA_INTER_BROKER_LISTENER_NAME=TOOLS \
    -e KAFKA_LISTENER_SECURITY_PROTOCOL_MAP=TOOLS:PLAINTEXT,PODS:SASL_SSL,CONTROLLER:PLAINTEXT \
    -e KAFKA_SSL_KEYSTORE_TYPE=PEM -e KAFKA_SSL_KEYSTORE_LOCATION=/etc/kafka-broker/broker.pem \
    -e KAFKA_SASL_ENABLED_MECHANISMS=SCRAM-SHA-512 \
    -e KAFKA_LISTENER_NAME_PODS_SCRAM___SHA___512_SASL_JAAS_CONFIG="org.apache.kafka.common.security.scram.ScramLoginModule required;" \
    -e KAFKA_LISTENER_NAME_PODS_CONNECTIONS_MAX_REAUTH_MS=30000 \
    -e KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR=1 -e KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR=1 \
    -e KAFKA_TRANSACTION_STATE_LOG_MIN_ISR=1 -e KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS=0 \
    -e KAFKA_AUTO_CREATE_TOPICS_ENABLE=false -e KAFKA_HEAP_OPTS="-Xms256m -Xmx512m" apache/kafka:4.3.1 >/dev/null
  for topic in shop.events:$partitions shop.events.dead:1 shop.events.receipts:1; do
    until_true 60 "topic $topic" kafka topics --create --if-not-exists --topic "${topic%:*}" --partitions "${topic#*:}" --replication-factor 1
  done
  kafka topics --create --topic timeline.state --partitions $partitions --replication-factor 1 --config cleanup.policy=compact >/dev/null
  kafka_password first-password
}

# start_simulator LIMIT: with one key, sim-key
start_simulator() {
  daemon simulator "$simulator" --listen "$host:8080" --limit "$1" --token sim-key --klass order --klass browsing
  until_true 30 "simulator" account .requests.total
}
account() { curl -sS --max-time 5 "$api/_sim/account" | jq -r "$1"; }
# simulate WHAT JSON: keys that are valid, faults
simulate() { curl -sS --fail --max-time 5 "$api/_sim/$1" -d "$2" >/dev/null; }

# start_prometheus: Debian's cannot ask Kubernetes; the watcher below writes the pods into a file
start_prometheus() {
  echo '[]' >"$work/targets.json"
  cat >"$work/prometheus.yml" <<YAML
global: { scrape_interval: 5s, scrape_timeout: 4s, evaluation_interval: 5s }
rule_files: [$chart/files/rules.yaml]
scrape_configs:
  - job_name: $name-metrics
    file_sd_configs: [{ files: [$work/targets.json], refresh_interval: 5s }]
YAML
  daemon prometheus prometheus --config.file="$work/prometheus.yml" --storage.tsdb.path="$run/prometheus" \
    --web.listen-address="$host:9090" --log.level=warn
  until_true 30 "Prometheus" curl -sS --fail "$prometheus/-/ready"
}
query() { curl -sS --max-time 10 --get "$prometheus/api/v1/query" --data-urlencode "query=$1"; }
# value QUERY: the first of its values
value() { query "$1" | jq -r '.data.result[0].value[1]'; }
scraped() { [ "$(value 'count(kustomer_ingest_build_info)')" = "$1" ]; }

# start_collector: takes spans and forgets them; its log has a line for each request
start_collector() {
  cat >"$work/collector.py" <<'PYTHON'
import http.server, sys


class Collector(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.send_response(200 if self.path == "/v1/traces" else 404)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", "0")
        self.end_headers()


http.server.ThreadingHTTPServer((sys.argv[1], 4318), Collector).serve_forever()
PYTHON
  daemon collector /usr/bin/python3 "$work/collector.py" "$host"
}

# --- the namespace and the release ---

# put_secret NAME KEY VALUE: made, or given another content
put_secret() {
  kubectl -n $space create secret generic "$1" --from-literal="$2=$3" --dry-run=client -o yaml \
    | kubectl -n $space apply --server-side --force-conflicts -f - >/dev/null
}
# prepare_space LIMIT: namespace, secrets, and the values that all releases have
prepare_space() {
  kubectl wait --for=delete namespace/$space --timeout=120s >/dev/null 2>&1 || true
  kubectl create namespace $space >/dev/null
  kubectl label namespace $space pod-security.kubernetes.io/enforce=restricted >/dev/null
  put_secret kustomer-token token sim-key
  put_secret kafka-credentials password first-password
  kubectl -n $space create configmap cluster-authority --from-file=ca.crt="$run/keys/authority.crt" >/dev/null
  cat >"$work/values.yaml" <<YAML
replicas: 1
image: { repository: kustomer-ingest, tag: first }
config:
  kafka:
    brokers: "$host:9094"
    properties:
      security.protocol: sasl_ssl
      sasl.mechanism: SCRAM-SHA-512
      sasl.username: worker
      ssl.ca.location: /etc/kustomer-ingest-ca/ca.crt
    topics:
      - { name: shop.events, mapping: mappings/segment.yaml, keyed_by: customer }
    receipts_topic: shop.events.receipts
  kustomer: { base_url: "$api", limit: $1 }
  state: { topic: timeline.state }
  tracing: { endpoint: "http://$host:4318", ratio: 1 }
kafkaSecrets:
  - { property: sasl.password, existingSecret: kafka-credentials, key: password }
caBundle: { existingConfigMap: cluster-authority }
resources:
  requests: { cpu: 50m, memory: 128Mi }
minReadySeconds: 3
# a node whose pods are gone is not to be waited for
topologySpreadConstraints:
  - { maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: ScheduleAnyway }
YAML
}
chart() {
  helm_quiet "$@" --namespace $space "${values[@]}" >"$work/helm.log" 2>&1 || {
    tail -n 5 "$work/helm.log" >&2
    return 1
  }
}
pods_json() { kubectl -n $space get pods -l $pods -o json; }
# ready_pods: names of the pods that are ready
ready_pods() {
  pods_json | jq -r '.items[]
    | select(.metadata.deletionTimestamp == null and any(.status.conditions[]?; .type == "Ready" and .status == "True"))
    | .metadata.name' | sort
}
number_ready() { [ "$(ready_pods | wc -l)" = "$1" ]; }
alone() { [ "$(kubectl -n $space get pods -l $pods --no-headers | wc -l)" = "$1" ] && number_ready "$1"; }
# lives: the pods, and how often the worker in each was started again
lives() { pods_json | jq -c '[.items[] | [.metadata.name, .status.containerStatuses[0].restartCount]] | sort'; }
# every_pod SERIES N: each pod has counted so many
every_pod() {
  local pod
  for pod in $(pods_json | jq -r '.items[].metadata.name'); do
    kubectl get --raw "/api/v1/namespaces/$space/pods/$pod:9464/proxy/metrics" \
      | awk -v series="kustomer_ingest_$1 " -v least="$2" 'index($0, series) == 1 { n = $NF } END { exit n < least }' || return 1
  done
}

# --- load, and what comes of it ---

produce() {
  kafka console-producer --topic shop.events --reader-property parse.key=true --reader-property 'key.separator=|' >/dev/null
}
customers=0
# send N: events of so many customers, at once
send() {
  "$top/deploy/compose/sample-events" "$1" | produce
  customers=$((customers + $1))
}
# start_load N: so many customers a second, four events each, until end_load
start_load() {
  touch "$work/go-on"
  echo 0 >"$work/loaded"
  (
    sent=0
    while [ -e "$work/go-on" ]; do
      "$top/deploy/compose/sample-events" "$1"
      sent=$((sent + $1))
      echo $sent >"$work/loaded"
      # sample-events names its customers by the second
      sleep 1.05
    done
  ) | produce &
  loading=$!
}
end_load() {
  rm "$work/go-on"
  wait "$loading" || true
  loading=
  customers=$((customers + $(cat "$work/loaded")))
}
# start_watching: each second, how many replicas are ready and how many are asked for; and where Prometheus finds them
start_watching() {
  : >"$work/ready"
  : >"$work/asked"
  (
    # a question that is not answered once is asked again
    set +e
    while sleep 1; do
      list=$(ready_pods) && grep -c . <<<"$list" >>"$work/ready"
      kubectl -n $space get "deployment/$name" -o json | jq .spec.replicas >>"$work/asked"
      pods_json | jq '[.items[] | select(.status.podIP and .status.phase == "Running")
        | { targets: ["\(.status.podIP):9464"], labels: { namespace: .metadata.namespace, pod: .metadata.name } }]' >"$work/targets.new" \
        && mv "$work/targets.new" "$work/targets.json"
    done
  ) 2>/dev/null &
  watching=$!
}
stop_watching() {
  kill "$watching" 2>/dev/null || true
  watching=
}
# since when it was last asked: the fewest that were ready, the most that were asked for
least_ready() { sort -n "$work/ready" | head -n 1; : >"$work/ready"; }
most_asked() { sort -n "$work/asked" | tail -n 1; : >"$work/asked"; }
delivered() { [ "$(account .accepted.tracking)" -gt "$1" ]; }
flows() { until_true 60 "more events arrive" delivered "$(account .accepted.tracking)"; }
lag() {
  kafka consumer-groups --describe --group kustomer-ingest 2>/dev/null \
    | awk -v all=$partitions '$2 == "shop.events" { n++; if ($6 == "-") open = 1; lag += $6 } END { print (n == all && !open) ? lag : "unknown" }'
}
no_lag() { [ "$(lag)" = 0 ]; }
records_in() { kafka get-offsets --topic "$1" 2>/dev/null | awk -F: '{ n += $3 } END { print n + 0 }'; }

# judge: what the simulator accepted is what was sent, once; only tracking events that were under way when a process was killed may come twice
judge() {
  local result dead
  result=$(account '{tracking: .accepted.tracking, orders: .accepted.kobjects_created, orders_there: .kobjects_total, customers: .customers_total,
    repeated_events: .repeated.tracking, repeated_orders: .repeated.kobjects, out_of_order: (.out_of_order.tracking + .out_of_order.kobjects)}')
  echo "sent: $customers customers, $((customers * 2)) tracking events, $customers orders; accepted: $(jq -c . <<<"$result")"
  jq -e --argjson n $customers '.orders == $n and .orders_there == $n and .customers == $n
    and .tracking - .repeated_events == 2 * $n and .repeated_orders == 0 and .out_of_order == 0' <<<"$result" >/dev/null \
    || die "this is not what was sent"
  dead=$(records_in shop.events.dead)
  [ "$dead" = 0 ] || die "$dead dead letters"
}
