{{/* Names and labels of every object. The subcharts use them too: each takes the root context of parent or subchart. */}}

{{/* The release's name, short enough for the longest suffix that Kubernetes and this chart put behind it. */}}
{{- define "eshop.fullname" -}}
{{- $name := .Release.Name -}}
{{- if gt (len $name) 40 -}}
{{- printf "%s-%s" (trunc 33 $name | trimSuffix "-") (sha256sum $name | trunc 6) -}}
{{- else -}}
{{- $name -}}
{{- end -}}
{{- end }}

{{/* What selects the pods of one component: (dict "root" $ "component" "order"). No version: selectors cannot change. */}}
{{- define "eshop.selector" -}}
app.kubernetes.io/name: eshop
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* Labels of an object of one component. */}}
{{- define "eshop.labels" -}}
{{ include "eshop.selector" . }}
app.kubernetes.io/part-of: eshop
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Chart.AppVersion }}
app.kubernetes.io/version: {{ . | quote }}
{{- end }}
{{- end }}

{{- define "eshop.needsLabels" -}}
{{- range .needs }}
eshop/needs-{{ . }}: "true"
{{- end }}
{{- end }}

{{/* Labels of a pod: the selector, and one label for each thing it needs, which the NetworkPolicies look for. */}}
{{- define "eshop.podLabels" -}}
{{ include "eshop.selector" . }}
{{- include "eshop.needsLabels" . }}
{{- with .labels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Name and component labels at once: (dict "root" $ "component" "order"), indented under metadata. */}}
{{- define "eshop.metadata" -}}
name: {{ include "eshop.fullname" .root }}-{{ .component }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "eshop.labels" . | nindent 2 }}
{{- end }}

{{- define "eshop.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (ternary (include "eshop.fullname" .) "default" .Values.serviceAccount.create) -}}
{{- end }}

{{/* Reference of an image: (dict "root" $ "image" $image), and "name" for the shop's own, whose repository may be left out. */}}
{{- define "eshop.image" -}}
{{- $registry := .image.registry | default .root.Values.global.imageRegistry -}}
{{- $repository := .image.repository | default (printf "eshop/%s" .name) -}}
{{- $tag := .image.tag | default .root.Chart.AppVersion -}}
{{- with $registry }}{{ trimSuffix "/" . }}/{{ end }}{{ $repository }}{{ if .image.digest }}@{{ .image.digest }}{{ else }}:{{ $tag }}{{ end }}
{{- end }}
