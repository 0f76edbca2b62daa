{{- define "writ.name" -}}
{{- printf "%s-writ" .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- end }}

{{- define "writ.selector" -}}
app.kubernetes.io/name: writ
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "writ.labels" -}}
{{ include "writ.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* How a listener is protected: TLS, or a clear word that it is not. */}}
{{- define "writ.listener" -}}
{{- if .Values.tls.secretName -}}
tls: {cert: /run/writ-tls/tls.crt, key: /run/writ-tls/tls.key}
{{- else if .Values.clear -}}
insecure: true
{{- else -}}
{{- fail "tls.secretName: name a Secret with tls.crt and tls.key, or say clear: true" -}}
{{- end -}}
{{- end }}
