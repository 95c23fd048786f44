{{/* Storage of the stores: the subcharts' contexts, whose values have `persistence`. */}}

{{/* The volume `data` where nothing is kept. */}}
{{- define "eshop.dataVolume" -}}
{{- if not .Values.persistence.enabled -}}
- name: data
  emptyDir: {}
{{- end }}
{{- end }}

{{/* The claim of the volume `data`; Kubernetes keeps it when the release goes. (dict "root" . "component" "mysql") */}}
{{- define "eshop.volumeClaim" -}}
{{- with .root.Values.persistence -}}
{{- if .enabled -}}
volumeClaimTemplates:
  - metadata:
      name: data
      labels:
        {{- include "eshop.selector" $ | nindent 8 }}
    spec:
      accessModes: [ReadWriteOnce]
      {{- with .storageClass | default $.root.Values.global.storageClass }}
      storageClassName: {{ . }}
      {{- end }}
      resources:
        requests: {storage: {{ .size }}}
{{- end }}
{{- end }}
{{- end }}
