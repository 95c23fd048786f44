{{/*
The objects of one coordinator: (dict "root" $ "component" "dtm-mysql" "store" "mysql" "needs" $list "settings" $.Values.dtm).
Official image and embedded coordinator read the same environment and serve the same ports and paths.
*/}}
{{- define "dtm.deployment" }}
{{- $settings := .settings }}
{{- $embedded := eq $settings.engine "embedded" }}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  {{- include "eshop.metadata" . | nindent 2 }}
spec:
  replicas: {{ $settings.replicas }}
  revisionHistoryLimit: 5
  selector:
    matchLabels:
      {{- include "eshop.selector" . | nindent 6 }}
  strategy:
    rollingUpdate: {maxSurge: 1, maxUnavailable: 0}
  template:
    metadata:
      labels:
        {{- include "eshop.podLabels" (merge (dict "labels" $settings.podLabels) .) | nindent 8 }}
      {{- with $settings.podAnnotations }}
      annotations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
    spec:
      {{- include "eshop.podSpec" . | nindent 6 }}
      serviceAccountName: {{ include "eshop.serviceAccountName" .root }}
      terminationGracePeriodSeconds: {{ $settings.terminationGracePeriodSeconds }}
      {{- include "eshop.topologySpread" (merge (dict "spread" .root.Values.defaults.topologySpread) .) | nindent 6 }}
      containers:
        - name: dtm
          image: {{ include "eshop.image" (dict "root" .root "image" (index $settings.images $settings.engine)) }}
          imagePullPolicy: {{ .root.Values.global.imagePullPolicy }}
          env:
            {{- include "dtm.environment" . | nindent 12 }}
          ports:
            - {name: http, containerPort: 36789}
            - {name: grpc, containerPort: 36790}
          # It opens no port before its store answers, which at an install takes as long as the store's image and first start.
          startupProbe:
            httpGet: {path: /api/ping, port: http}
            periodSeconds: 2
            failureThreshold: 450
          livenessProbe:
            httpGet: {path: /api/ping, port: http}
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 6
          readinessProbe:
            httpGet: {path: {{ ternary "/readyz" "/api/ping" $embedded }}, port: http}
            periodSeconds: 3
            timeoutSeconds: 3
            failureThreshold: 2
          lifecycle:
            preStop:
              sleep: {seconds: {{ $settings.preStopSeconds }}}
          resources:
            {{- toYaml $settings.resources | nindent 12 }}
          securityContext:
            {{- toYaml $settings.securityContext | nindent 12 }}
          volumeMounts:
            - {name: tmp, mountPath: /tmp}
            {{- if $embedded }}
            - {name: secrets, mountPath: /run/secrets/eshop, readOnly: true}
            {{- end }}
      volumes:
        - name: tmp
          emptyDir: {sizeLimit: 64Mi}
        {{- if $embedded }}
        {{- $password := dict (ternary "dtm-password" "password" (eq .store "mysql")) "store_password" }}
        {{- include "eshop.secretsVolume" (dict "root" .root .store $password) | nindent 8 }}
        {{- end }}
{{- end }}

{{/* DTM's own names. The official image knows no password files: it alone gets the password as a variable. */}}
{{- define "dtm.environment" -}}
{{- $mysql := eq .store "mysql" -}}
- {name: STORE_DRIVER, value: {{ .store }}}
- {name: STORE_HOST, value: {{ include (printf "eshop.%sHost" .store) .root }}}
- {name: STORE_PORT, value: {{ include (printf "eshop.%sPort" .store) .root | quote }}}
{{- if $mysql }}
- {name: STORE_DB, value: dtm}
- {name: STORE_USER, value: eshop_dtm}
- {name: STORE_MAX_OPEN_CONNS, value: {{ .settings.maxConnections | quote }}}
- {name: STORE_MAX_IDLE_CONNS, value: {{ .settings.maxConnections | quote }}}
{{- end }}
{{- if eq .settings.engine "embedded" }}
{{ include "eshop.environment" (dict "root" .root) }}
{{- with .root.Values.observability }}
- {name: ESHOP_LOG_FORMAT, value: {{ .logFormat }}}
- {name: ESHOP_OTLP_ENDPOINT, value: {{ .tracing.endpoint | quote }}}
- {name: ESHOP_TRACE_RATIO, value: {{ .tracing.ratio | quote }}}
{{- end }}
{{- else if or $mysql (include "eshop.redisSecret" .root) }}
- name: STORE_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ include (printf "eshop.%sSecret" .store) .root }}
      key: {{ ternary "dtm-password" "password" $mysql }}
{{- end }}
- {name: HTTP_PORT, value: "36789"}
- {name: GRPC_PORT, value: "36790"}
- {name: UPDATE_BRANCH_SYNC, value: "1"}
- {name: TRANS_CRON_INTERVAL, value: {{ .settings.transCronInterval | quote }}}
- {name: RETRY_INTERVAL, value: {{ .settings.retryInterval | quote }}}
- {name: REQUEST_TIMEOUT, value: {{ .settings.requestTimeout | quote }}}
- {name: TIMEOUT_TO_FAIL, value: {{ .settings.timeoutToFail | quote }}}
- {name: LOG_LEVEL, value: {{ .settings.logLevel }}}
{{- range $name, $value := .settings.env }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- end }}

{{- define "dtm.service" }}
---
apiVersion: v1
kind: Service
metadata:
  {{- include "eshop.metadata" . | nindent 2 }}
spec:
  clusterIP: None
  ports:
    - {name: http, port: 36789, targetPort: http, appProtocol: http}
    - {name: grpc, port: 36790, targetPort: grpc, appProtocol: kubernetes.io/h2c}
  selector:
    {{- include "eshop.selector" . | nindent 4 }}
{{- end }}

{{- define "dtm.podDisruptionBudget" }}
{{- if .settings.podDisruptionBudget.enabled }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "eshop.metadata" . | nindent 2 }}
spec:
  maxUnavailable: {{ .settings.podDisruptionBudget.maxUnavailable }}
  # A node with pods that are unready anyway, as when a store is away, can be drained all the same.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "eshop.selector" . | nindent 6 }}
{{- end }}
{{- end }}
