{{/* Where the stores and coordinators are, in the release or outside, and which Secrets open them. */}}

{{- define "eshop.mysqlHost" -}}
{{- ternary (printf "%s-mysql" (include "eshop.fullname" .)) .Values.mysql.external.host .Values.mysql.enabled -}}
{{- end }}
{{- define "eshop.mysqlPort" -}}
{{- ternary 3306 (int .Values.mysql.external.port) .Values.mysql.enabled -}}
{{- end }}
{{- define "eshop.mysqlSecret" -}}
{{- .Values.mysql.existingSecret | default (printf "%s-mysql" (include "eshop.fullname" .)) -}}
{{- end }}

{{- define "eshop.redisHost" -}}
{{- ternary (printf "%s-redis" (include "eshop.fullname" .)) .Values.redis.external.host .Values.redis.enabled -}}
{{- end }}
{{- define "eshop.redisPort" -}}
{{- ternary 6379 (int .Values.redis.external.port) .Values.redis.enabled -}}
{{- end }}
{{/* Empty where an external server asks for no password. */}}
{{- define "eshop.redisSecret" -}}
{{- .Values.redis.existingSecret | default (ternary (printf "%s-redis" (include "eshop.fullname" .)) "" .Values.redis.enabled) -}}
{{- end }}

{{- define "eshop.kafkaBrokers" -}}
{{- ternary (printf "%s-kafka:9092" (include "eshop.fullname" .)) (join "," .Values.kafka.external.brokers) .Values.kafka.enabled -}}
{{- end }}

{{/* host:port of a coordinator: (dict "root" $ "name" "dtm-mysql" "protocol" "grpc"). */}}
{{- define "eshop.dtmAddress" -}}
{{- $dtm := index .root.Values .name -}}
{{- if $dtm.enabled -}}
{{- printf "%s-%s:%d" (include "eshop.fullname" .root) .name (ternary 36790 36789 (eq .protocol "grpc")) -}}
{{- else -}}
{{- printf "%s:%d" $dtm.external.host (int (index $dtm.external (printf "%sPort" .protocol))) -}}
{{- end -}}
{{- end }}

{{/* Database accounts, as JSON: one for each service that needs MySQL, and those of coordinator, purge and checks. */}}
{{- define "eshop.accounts" -}}
{{- $accounts := list -}}
{{- range $name, $service := .Values.services -}}
{{- if has "mysql" $service.needs }}{{ $accounts = append $accounts $name }}{{ end -}}
{{- end -}}
{{- concat $accounts (list "dtm" "purge" "reader") | toJson -}}
{{- end }}
