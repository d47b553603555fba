{{/*
A pod with a shell on the volume of the first pod, as JSON for `kubectl run --overrides`, in single quotes: for commands
that need the directory for themselves. It has the configuration, too.
*/}}
{{- define "sediment.shellOverrides" -}}
{{- $name := include "sediment.fullname" . }}
{{- $security := dict "runAsNonRoot" true "runAsUser" (int .Values.podSecurity.runAsUser) "runAsGroup" (int .Values.podSecurity.runAsGroup) "fsGroup" (int .Values.podSecurity.fsGroup) "fsGroupChangePolicy" "OnRootMismatch" "seccompProfile" (dict "type" "RuntimeDefault") }}
{{- $container := dict
      "name" (printf "%s-shell" $name)
      "image" (include "sediment.image" .)
      "command" (list "sh")
      "stdin" true
      "tty" true
      "env" (include "sediment.environment" . | fromYamlArray)
      "securityContext" (include "sediment.containerSecurity" . | fromYaml)
      "volumeMounts" (list (dict "name" "data" "mountPath" "/data") (dict "name" "config" "mountPath" "/etc/sediment/config" "readOnly" true)) }}
{{- $volumes := list
      (dict "name" "data" "persistentVolumeClaim" (dict "claimName" (printf "data-%s-0" $name)))
      (dict "name" "config" "configMap" (dict "name" $name)) }}
{{- $spec := dict "automountServiceAccountToken" false "enableServiceLinks" false "securityContext" $security "containers" (list $container) "volumes" $volumes }}
{{- range $key := list "imagePullSecrets" "nodeSelector" "affinity" "tolerations" }}
{{- with index $.Values $key }}
{{- $_ := set $spec $key . }}
{{- end }}
{{- end }}
{{- dict "spec" $spec | toJson | replace "'" "'\\''" }}
{{- end }}
