{{/* The parts that pods share. */}}

{{/*
The head of a pod's spec: (dict "root" $ "settings" $settings), where settings has podSecurityContext and may have
nodeSelector, tolerations, affinity and priorityClassName. Service links would put variables such as STORE_PORT into DTM.
*/}}
{{- define "eshop.podSpec" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.global.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  {{- toYaml .settings.podSecurityContext | nindent 2 }}
{{- with .settings.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .settings.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .settings.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .settings.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}

{{/* Spread over nodes and zones: (dict "root" $ "component" "order" "spread" $spread). */}}
{{- define "eshop.topologySpread" -}}
{{- if .spread.enabled -}}
topologySpreadConstraints:
  {{- range .spread.topologyKeys }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: {{ $.spread.whenUnsatisfiable }}
    labelSelector:
      matchLabels:
        {{- include "eshop.selector" $ | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
  {{- end }}
{{- end }}
{{- end }}

{{/*
Environment of a process of the shop: the addresses, and the database account where there is one:
(dict "root" $ "account" "order"). Passwords are files under ESHOP_SECRETS_DIR.
*/}}
{{- define "eshop.environment" -}}
- name: ESHOP_SECRETS_DIR
  value: /run/secrets/eshop
- name: ESHOP_VERSION
  value: {{ .root.Chart.AppVersion | quote }}
{{- with .account }}
- name: ESHOP_MYSQL_USER
  value: {{ . }}
{{- end }}
{{- end }}

{{/*
Volume `secrets` with the passwords that one pod may see:
(dict "root" $ "mysql" (dict "order-password" "mysql_password") "redis" (dict "password" "redis_password")).
*/}}
{{- define "eshop.secretsVolume" -}}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
      {{- with .mysql }}
      - secret:
          name: {{ include "eshop.mysqlSecret" $.root }}
          items:
            {{- range $key, $path := . }}
            - {key: {{ $key }}, path: {{ $path }}}
            {{- end }}
      {{- end }}
      {{- if and .redis (include "eshop.redisSecret" .root) }}
      - secret:
          name: {{ include "eshop.redisSecret" .root }}
          items:
            {{- range $key, $path := .redis }}
            - {key: {{ $key }}, path: {{ $path }}}
            {{- end }}
      {{- end }}
{{- end }}

{{/*
Container of a job, in the migrations image: (dict "root" $ "name" "purge" "command" $list "account" "eshop_purge"), and
"env" and "mounts" where it needs more. The pod has the volumes `tmp` and `secrets`.
*/}}
{{- define "eshop.jobContainer" -}}
- name: {{ .name }}
  image: {{ include "eshop.image" (dict "root" .root "image" .root.Values.migrations.image) }}
  imagePullPolicy: {{ .root.Values.global.imagePullPolicy }}
  command: {{ toJson .command }}
  env:
    {{- include "eshop.environment" . | nindent 4 }}
    {{- with .env }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  envFrom:
    - configMapRef:
        name: {{ include "eshop.fullname" .root }}-addresses
  resources:
    {{- toYaml .root.Values.migrations.resources | nindent 4 }}
  securityContext:
    {{- toYaml .root.Values.defaults.securityContext | nindent 4 }}
  volumeMounts:
    - {name: tmp, mountPath: /tmp}
    - {name: secrets, mountPath: /run/secrets/eshop, readOnly: true}
    {{- with .mounts }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}
