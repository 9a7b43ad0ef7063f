{{/* What the worker and its commands need of a container: environment and files. */}}
{{- define "ingest.env" -}}
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
{{- if .Values.caBundle.existingConfigMap }}
- name: SSL_CERT_FILE
  value: /etc/kustomer-ingest-ca/ca.crt
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "ingest.volumeMounts" -}}
- name: config
  mountPath: /etc/kustomer-ingest
  readOnly: true
- name: token
  mountPath: /var/run/secrets/kustomer
  readOnly: true
# state.dir is below /tmp by default: notes that outlast a restart of the container
- name: tmp
  mountPath: /tmp
{{- if .Values.kafkaSecrets }}
- name: kafka-secrets
  mountPath: /var/run/secrets/kafka
  readOnly: true
{{- end }}
{{- if .Values.caBundle.existingConfigMap }}
- name: ca-bundle
  mountPath: /etc/kustomer-ingest-ca
  readOnly: true
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "ingest.volumes" -}}
{{- $mappings := include "ingest.mappings" . | fromYaml -}}
# one folder from two sources, because the configuration names mappings by paths relative to itself
- name: config
  projected:
    sources:
      - configMap:
          {{- if .Values.existingConfigMap.name }}
          name: {{ .Values.existingConfigMap.name }}
          {{- with .Values.existingConfigMap.items }}
          items:
            - key: worker.yaml
              path: worker.yaml
            {{- toYaml . | nindent 12 }}
          {{- end }}
          {{- else }}
          name: {{ include "ingest.fullname" . }}
          items:
            - key: worker.yaml
              path: worker.yaml
          {{- end }}
      {{- with $mappings }}
      - configMap:
          name: {{ include "ingest.fullname" $ }}-mappings
          items:
            {{- range $name, $_ := . }}
            - key: {{ $name }}
              path: mappings/{{ $name }}
            {{- end }}
      {{- end }}
- name: tmp
  emptyDir:
    # recordings: four times the bytes of recorded steps, one that is being written, and notes beside them
    sizeLimit: {{ add 16 (mul 6 (include "ingest.recording" . | int)) }}Mi
- name: token
  secret:
    secretName: {{ .Values.token.existingSecret }}
    # for the worker's group, which is fsGroup
    defaultMode: 0440
    items:
      - key: {{ .Values.token.key }}
        path: token
{{- with .Values.kafkaSecrets }}
- name: kafka-secrets
  projected:
    defaultMode: 0440
    sources:
      {{- range . }}
      - secret:
          name: {{ .existingSecret }}
          items:
            - key: {{ .key }}
              path: {{ .property }}
      {{- end }}
{{- end }}
{{- with .Values.caBundle }}
{{- if .existingConfigMap }}
- name: ca-bundle
  configMap:
    name: {{ .existingConfigMap }}
    items:
      - key: {{ .key }}
        path: ca.crt
{{- end }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* What a pod of the worker and one of a Job have in common. */}}
{{- define "ingest.placement" -}}
serviceAccountName: {{ include "ingest.serviceAccountName" . }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
{{- with .Values.dnsPolicy }}
dnsPolicy: {{ . }}
{{- end }}
{{- with .Values.dnsConfig }}
dnsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.hostAliases }}
hostAliases:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* A container of the worker's image that runs a command: (dict "root" $ "name" NAME "resources" MAP). What it runs is added behind it. */}}
{{- define "ingest.commandContainer" -}}
name: {{ .name }}
image: {{ include "ingest.image" .root | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
env:
  {{- include "ingest.env" .root | nindent 2 }}
{{- with .root.Values.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
resources:
  {{- toYaml .resources | nindent 2 }}
securityContext:
  {{- toYaml .root.Values.securityContext | nindent 2 }}
{{- end -}}

{{/*
Only a key that is refused ends it with an error. Its words are those of `check --online`, which a test compares with these. If the
questions take too long, for instance because no broker answers, the pod starts.
*/}}
{{- define "ingest.keyCheck" -}}
out=$(timeout {{ .Values.keyCheck.timeoutSeconds }} kustomer-ingest check --online --config /etc/kustomer-ingest/worker.yaml 2>&1)
grep -E '^(ok: key|warning|fault)' <<<"$out" || printf '%s\n' "$out"
if grep -q '^fault: key: the API refused the key: bad_token' <<<"$out"; then
  echo "this pod does not start: put a valid key into the secret {{ .Values.token.existingSecret }}, key {{ .Values.token.key }}"
  exit 1
fi
exit 0
{{- end -}}

{{/* The pods of the worker, in a Deployment or a StatefulSet. */}}
{{- define "ingest.pod" -}}
metadata:
  labels:
    {{- include "ingest.selectorLabels" . | nindent 4 }}
    app.kubernetes.io/component: worker
    {{- with .Values.commonLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    # a changed configuration or mapping replaces the pod
    checksum/config: {{ include (print .Template.BasePath "/configmap.yaml") . | sha256sum }}
    kubectl.kubernetes.io/default-container: worker
    {{- with merge dict .Values.podAnnotations .Values.commonAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  {{- include "ingest.placement" . | nindent 2 }}
  terminationGracePeriodSeconds: {{ include "ingest.gracePeriod" . }}
  {{- if or .Values.initContainers .Values.keyCheck.enabled }}
  initContainers:
    {{- with .Values.initContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- if .Values.keyCheck.enabled }}
    - {{ include "ingest.commandContainer" (dict "root" . "name" "check-key" "resources" .Values.keyCheck.resources) | indent 6 | trim }}
      command: [bash, -c]
      args:
        - |
          {{- include "ingest.keyCheck" . | nindent 10 }}
      volumeMounts:
        {{- include "ingest.volumeMounts" . | nindent 8 }}
    {{- end }}
  {{- end }}
  containers:
    - name: worker
      image: {{ include "ingest.image" . | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args:
        - run
        - --config
        - /etc/kustomer-ingest/worker.yaml
        {{- with .Values.extraArgs }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      env:
        {{- include "ingest.env" . | nindent 8 }}
      {{- with .Values.extraEnvFrom }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        - name: metrics
          containerPort: {{ include "ingest.adminPort" . }}
          protocol: TCP
      {{- range $probe, $path := dict "startup" "/live" "liveness" "/live" "readiness" "/ready" }}
      {{ $probe }}Probe:
        httpGet:
          path: {{ $path }}
          port: metrics
        {{- toYaml (get $.Values.probes $probe) | nindent 8 }}
      {{- end }}
      resources:
        {{- include "ingest.resources" . | nindent 8 }}
      securityContext:
        {{- toYaml .Values.securityContext | nindent 8 }}
      volumeMounts:
        {{- include "ingest.volumeMounts" . | nindent 8 }}
    {{- with .Values.extraContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  volumes:
    {{- include "ingest.volumes" . | nindent 4 }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- range . }}
    {{- $own := dict "labelSelector" (dict "matchLabels" (include "ingest.selectorLabels" $ | fromYaml)) }}
    {{- list (merge (deepCopy .) $own) | toYaml | nindent 4 }}
    {{- end }}
  {{- end }}
{{- end -}}
