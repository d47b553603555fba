{{- define "sediment.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* The release's name, short enough for "-headless" and a pod's ordinal behind it. */}}
{{- define "sediment.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains (include "sediment.name" .) .Release.Name }}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "sediment.name" .) | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "sediment.selectorLabels" -}}
app.kubernetes.io/name: {{ include "sediment.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "sediment.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "sediment.selectorLabels" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | trunc 63 | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "sediment.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "sediment.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "sediment.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) }}
{{- end }}
{{- end }}

{{/*
The configuration file: `config` of the values, with what the pod fixes laid over it (address, data folder, time
to drain, files of mounted secrets).
*/}}
{{- define "sediment.config" -}}
{{- $fixed := dict
      "dataPath" "/data"
      "http" (dict "host" "0.0.0.0" "port" 8383)
      "shutdown" (dict "deadlineMs" (printf "%ds" (int .Values.shutdown.deadlineSeconds))) }}
{{- if .Values.sasl.existingSecret }}
{{- $sasl := dict "mechanism" .Values.sasl.mechanism }}
{{- if eq .Values.sasl.mechanism "oauthbearer" }}
{{- $sasl = merge $sasl (dict "oauth" (dict "clientSecretFile" "/etc/sediment/sasl/password")) }}
{{- else }}
{{- $sasl = merge $sasl (dict "passwordFile" "/etc/sediment/sasl/password") }}
{{- end }}
{{- $fixed = merge $fixed (dict "kafka" (dict "sasl" $sasl)) }}
{{- end }}
{{- if .Values.tls.existingSecret }}
{{- $ssl := dict "enabled" true "caFile" "/etc/sediment/tls/ca.crt" }}
{{- if .Values.tls.clientCertificate }}
{{- $ssl = merge $ssl (dict "certFile" "/etc/sediment/tls/tls.crt" "keyFile" "/etc/sediment/tls/tls.key") }}
{{- end }}
{{- with .Values.tls.keyPassphraseKey }}
{{- $ssl = merge $ssl (dict "keyPassphraseFile" (printf "/etc/sediment/tls/%s" .)) }}
{{- end }}
{{- $fixed = merge $fixed (dict "kafka" (dict "ssl" $ssl)) }}
{{- end }}
{{- toYaml (mergeOverwrite (deepCopy .Values.config) $fixed) }}
{{- end }}

{{/* Environment of both containers: who this pod is in the group, and who it is to Kafka. */}}
{{- define "sediment.environment" -}}
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: SEDIMENT_KAFKA_GROUP_INSTANCE_ID
  value: $(POD_NAME)
{{- with .Values.sasl }}
{{- if .existingSecret }}
- name: {{ ternary "SEDIMENT_KAFKA_SASL_OAUTH_CLIENT_ID" "SEDIMENT_KAFKA_SASL_USERNAME" (eq .mechanism "oauthbearer") }}
  valueFrom:
    secretKeyRef:
      name: {{ .existingSecret }}
      key: {{ .usernameKey }}
{{- end }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "sediment.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
{{- end }}
