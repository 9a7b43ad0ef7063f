{{/* Names of at most 63 characters, the limit of a label's value. */}}
{{- define "ingest.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "ingest.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "ingest.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Of the CronJob, whose name may have 52 characters. */}}
{{- define "ingest.replayName" -}}
{{- printf "%s-replay" (include "ingest.fullname" . | trunc 45 | trimSuffix "-") -}}
{{- end -}}

{{- define "ingest.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "ingest.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* What selects the release's pods; never changes over the release's life. */}}
{{- define "ingest.selectorLabels" -}}
app.kubernetes.io/name: {{ include "ingest.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "ingest.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "ingest.selectorLabels" . }}
app.kubernetes.io/component: worker
{{- if .Chart.AppVersion }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/*
The labels of pods that are not the worker: Jobs and tests. Another name, so that the worker's service, monitors and disruption budget do
not select them.
*/}}
{{- define "ingest.jobLabels" -}}
app.kubernetes.io/name: {{ printf "%s-job" (include "ingest.name" . | trunc 59) }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Name, labels and annotations of an object: (dict "root" $ "name" NAME "labels" MAP "annotations" MAP); all but root may be left out. */}}
{{- define "ingest.metadata" -}}
name: {{ default (include "ingest.fullname" .root) .name }}
labels:
  {{- include "ingest.labels" .root | nindent 2 }}
  {{- with .labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with merge dict (default dict .annotations) .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "ingest.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* A duration of the configuration, such as 20s or 1.5m, in whole seconds, rounded up. */}}
{{- define "ingest.seconds" -}}
{{- $text := toString . | nospace -}}
{{- $unit := regexFind "[a-z]+$" $text -}}
{{- $number := trimSuffix $unit $text | float64 -}}
{{- $factor := get (dict "ms" 0.001 "s" 1.0 "m" 60.0 "h" 3600.0) $unit -}}
{{- ceil (mulf $number $factor) -}}
{{- end -}}

{{/* A size of the configuration, such as 64MiB, in whole MiB, rounded up. */}}
{{- define "ingest.mebibytes" -}}
{{- $text := toString . | nospace -}}
{{- $unit := regexFind "[A-Za-z]+$" $text -}}
{{- $number := trimSuffix $unit $text | float64 -}}
{{- $factors := dict "B" 1.0 "kB" 1e3 "KB" 1e3 "MB" 1e6 "GB" 1e9 "KiB" 1024.0 "MiB" 1048576.0 "GiB" 1073741824.0 -}}
{{- ceil (divf (mulf $number (get $factors $unit)) 1048576.0) -}}
{{- end -}}

{{/* Seconds from SIGTERM to SIGKILL; refused if a drain could be cut short. */}}
{{- define "ingest.gracePeriod" -}}
{{- $text := dig "kafka" "drain_timeout" "20s" .Values.config -}}
{{- $drain := include "ingest.seconds" $text | int -}}
{{- $leave := 20 -}}
{{- if kindIs "invalid" .Values.terminationGracePeriodSeconds -}}
{{- add $drain $leave 10 -}}
{{- else -}}
{{- $grace := int .Values.terminationGracePeriodSeconds -}}
{{- if le $grace (add $drain $leave | int) -}}
{{- fail (printf "terminationGracePeriodSeconds is %d, and the worker may take %d s to end (config.kafka.drain_timeout of %v, and %d s for the last commit and for leaving the group): make it longer, or leave it null" $grace (add $drain $leave) $text $leave) -}}
{{- end -}}
{{- $grace -}}
{{- end -}}
{{- end -}}

{{/* The admin server's port; refused if the kubelet and Prometheus could not reach it. */}}
{{- define "ingest.adminPort" -}}
{{- $listen := dig "admin" "listen" "0.0.0.0:9464" .Values.config -}}
{{- if not (regexMatch "^(0\\.0\\.0\\.0|\\[::\\]):[1-9][0-9]*$" $listen) -}}
{{- fail (printf "config.admin.listen is %v: probes and Prometheus need every address and a fixed port, such as 0.0.0.0:9464 or [::]:9464" $listen) -}}
{{- end -}}
{{- regexFind "[0-9]+$" $listen -}}
{{- end -}}

{{/*
Memory in MiB, computed from the configuration: the process itself and what is known of customers and objects; half as much again as the
bytes of unsettled records; recorded steps, twice; and what is kept beside the budget: receipts that wait, schemas, spans that no
collector takes. docs/deploy.md has the measurements behind it.
*/}}
{{- define "ingest.memory" -}}
{{- $bytes := include "ingest.mebibytes" (dig "budget" "bytes" "64MiB" .Values.config) | int -}}
{{- $sum := add 128 $bytes (div (add $bytes 1) 2) (mul 2 (include "ingest.recording" . | int)) -}}
{{- if .Values.config.kafka.receipts_topic -}}
{{- $sum = add $sum 16 -}}
{{- end -}}
{{- with .Values.config.schema_registry -}}
{{- $sum = add $sum (include "ingest.mebibytes" (default "32MiB" .cache_bytes) | int) -}}
{{- end -}}
{{- with .Values.config.tracing -}}
{{- $sum = add $sum (div (mul 75 (default 2048 .queue | int)) 2048) -}}
{{- end -}}
{{- printf "%dMi" (int $sum) -}}
{{- end -}}

{{/* MiB of memory that recorded steps may take. While a recording is written, it is as much again. */}}
{{- define "ingest.recording" -}}
{{- include "ingest.mebibytes" (dig "debug" "recording" "bytes" "8MiB" .Values.config) -}}
{{- end -}}

{{- define "ingest.resources" -}}
{{- $resources := deepCopy .Values.resources -}}
{{- $limits := default dict $resources.limits -}}
{{- $requests := default dict $resources.requests -}}
{{- if not $limits.memory -}}{{- $_ := set $limits "memory" (include "ingest.memory" .) -}}{{- end -}}
{{- if not $requests.memory -}}{{- $_ := set $requests "memory" $limits.memory -}}{{- end -}}
{{- toYaml (dict "limits" $limits "requests" $requests) -}}
{{- end -}}

{{/* The mapping files that the topics name: name and content; refused if one is missing or belongs to no topic. */}}
{{- define "ingest.mappings" -}}
{{- if .Values.existingConfigMap.name -}}
{{- toYaml .Values.mappings -}}
{{- else -}}
{{- include "ingest.topicMappings" . -}}
{{- end -}}
{{- end -}}

{{- define "ingest.topicMappings" -}}
{{- $files := dict -}}
{{- range $topic := .Values.config.kafka.topics -}}
{{- if kindIs "map" $topic.mapping -}}
{{- fail (printf "the topic %s has an inline mapping: in the chart a mapping is a file in `mappings`, because values are YAML 1.1, where the key `on` means true" $topic.name) -}}
{{- end -}}
{{- $name := trimPrefix "mappings/" $topic.mapping -}}
{{- if or (eq $name $topic.mapping) (contains "/" $name) -}}
{{- fail (printf "the topic %s names the mapping %s: in the chart, a mapping file is mappings/NAME" $topic.name $topic.mapping) -}}
{{- end -}}
{{- if hasKey $.Values.mappings $name -}}
{{- $_ := set $files $name (get $.Values.mappings $name) -}}
{{- else -}}
{{- $shipped := $.Files.Get (printf "files/mappings/%s" $name) -}}
{{- if not $shipped -}}
{{- fail (printf "the topic %s names the mapping %s, which does not exist: add it with --set-file 'mappings.%s=FILE'" $topic.name $topic.mapping (replace "." "\\." $name)) -}}
{{- end -}}
{{- $_ := set $files $name $shipped -}}
{{- end -}}
{{- end -}}
{{- range $name, $_ := .Values.mappings -}}
{{- if not (hasKey $files $name) -}}
{{- fail (printf "mappings has %s, but no topic names mappings/%s" $name $name) -}}
{{- end -}}
{{- end -}}
{{- toYaml $files -}}
{{- end -}}

{{/* The configuration file: config, and the paths of the mounted secrets. */}}
{{- define "ingest.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- $_ := set $config.kustomer "token" (dict "file" "/var/run/secrets/kustomer/token") -}}
{{- $properties := default dict $config.kafka.properties -}}
{{- range .Values.kafkaSecrets -}}
{{- if hasKey $properties .property -}}
{{- fail (printf "%s is in kafkaSecrets twice, or also in config.kafka.properties" .property) -}}
{{- end -}}
{{- $_ := set $properties .property (dict "file" (printf "/var/run/secrets/kafka/%s" .property)) -}}
{{- end -}}
{{- $_ := set $config.kafka "properties" $properties -}}
{{- if eq .Values.kind "StatefulSet" -}}
{{- $_ := set $config.kafka "instance_id" (dict "env" "POD_NAME") -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{/* The ports of config.kafka.brokers. */}}
{{- define "ingest.kafkaPorts" -}}
{{- $ports := dict -}}
{{- range splitList "," .Values.config.kafka.brokers -}}
{{- $_ := set $ports (regexFind ":[0-9]+$" (trim .) | trimPrefix ":" | default "9092") true -}}
{{- end -}}
{{- keys $ports | sortAlpha | join "," -}}
{{- end -}}

{{/* The port of an address such as https://host:port/path. */}}
{{- define "ingest.urlPort" -}}
{{- $host := get (urlParse .) "host" -}}
{{- regexFind "[0-9]+$" (regexFind ":[0-9]+$" $host) | default (ternary "80" "443" (hasPrefix "http:" .)) -}}
{{- end -}}

{{/* The port of the endpoint that gives tokens for the brokers; nothing without one. Of an address in a secret nobody here knows the port. */}}
{{- define "ingest.tokenPort" -}}
{{- $property := "sasl.oauthbearer.token.endpoint.url" -}}
{{- with get (default dict .Values.config.kafka.properties) $property -}}
{{- include "ingest.urlPort" . -}}
{{- end -}}
{{- range .Values.kafkaSecrets -}}
{{- if eq .property $property -}}443{{- end -}}
{{- end -}}
{{- end -}}

{{/* Which series are this release's. */}}
{{- define "ingest.series" -}}
{{- with .Values.autoscaling.prometheus.selector -}}
{{- . -}}
{{- else -}}
{{- /* not those of a release whose name only begins the same */ -}}
{{- $end := ternary "[0-9]+" "[a-z0-9]+-[a-z0-9]{5}" (eq .Values.kind "StatefulSet") -}}
{{- printf "namespace=%q,pod=~%q" .Release.Namespace (printf "%s-%s" (include "ingest.fullname" .) $end) -}}
{{- end -}}
{{- end -}}

{{/* What is refused although each value by itself may stand so. */}}
{{- define "ingest.refusals" -}}
{{- if and .Values.autoscaling.enabled (lt (int .Values.autoscaling.maxReplicas) (int .Values.autoscaling.minReplicas)) -}}
{{- fail (printf "autoscaling.maxReplicas is %v, below autoscaling.minReplicas of %v" .Values.autoscaling.maxReplicas .Values.autoscaling.minReplicas) -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (not .Values.autoscaling.prometheus.serverAddress) -}}
{{- fail "autoscaling.prometheus.serverAddress is missing: the address of the Prometheus that scrapes the worker, such as http://prometheus.monitoring:9090" -}}
{{- end -}}
{{- if and .Values.serviceMonitor.enabled .Values.podMonitor.enabled -}}
{{- fail "serviceMonitor.enabled and podMonitor.enabled are both true: every figure would be counted twice; choose one" -}}
{{- end -}}
{{- range $name := list "serviceMonitor" "podMonitor" -}}
{{- $monitor := get $.Values $name -}}
{{- if and $monitor.enabled (dig "admin" "read_token" nil $.Values.config) (not $monitor.authorization.existingSecret) -}}
{{- fail (printf "config.admin.read_token is set, and %s sends no token: name the secret that has it in %s.authorization.existingSecret" $name $name) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.jobs.provision.enabled (not .Values.jobs.provision.existingSecret) -}}
{{- fail "jobs.provision.existingSecret is missing: the secret with a key that may make klasses and attributes; the worker's own key should not be able to" -}}
{{- end -}}
{{- $rolling := dig "rollingUpdate" dict .Values.strategy | default dict -}}
{{- if and (eq .Values.kind "Deployment") (eq (toString (dig "maxSurge" "" $rolling)) "0") (eq (toString .Values.replicas) "1") -}}
{{- fail "strategy.rollingUpdate.maxSurge is 0 with one replica: an update would take the only replica away before the new one has shown that it works, and `helm upgrade --wait` would not see it; leave strategy out" -}}
{{- end -}}
{{- range $name := .Values.prometheusRule.disabled -}}
{{- if not (contains (printf "alert: %s\n" $name) ($.Files.Get "files/rules.yaml")) -}}
{{- fail (printf "prometheusRule.disabled names %s, and there is no such alert in files/rules.yaml" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
