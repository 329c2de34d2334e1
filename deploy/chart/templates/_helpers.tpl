{{/* SPDX-License-Identifier: Apache-2.0 */}}
{{/* An image of another registry, where one is chosen: include "lokeys.at" (list . "docker.io/a/b:1") */}}
{{- define "lokeys.at" -}}
{{- $registry := (index . 0).Values.registry -}}
{{- $image := index . 1 -}}
{{- $first := index (splitList "/" $image) 0 -}}
{{- if not $registry -}}
{{ $image }}
{{- else if and (contains "/" $image) (or (contains "." $first) (contains ":" $first) (eq $first "localhost")) -}}
{{ $registry }}/{{ trimPrefix (printf "%s/" $first) $image }}
{{- else -}}
{{ $registry }}/{{ $image }}
{{- end -}}
{{- end -}}

{{- define "lokeys.image" -}}
{{- $image := .Values.image -}}
{{- $version := printf ":%s" (default .Chart.AppVersion $image.tag) -}}
{{- include "lokeys.at" (list . (printf "%s%s" $image.repository (ternary (printf "@%s" $image.digest) $version (ne $image.digest "")))) -}}
{{- end -}}

{{/* A file whose objects are of the namespace that the chart is installed in. */}}
{{- define "lokeys.here" -}}
{{- $context := index . 0 -}}
{{- $context.Files.Get (index . 1) | replace "namespace: lokeys-system" (printf "namespace: %s" $context.Release.Namespace) -}}
{{- end -}}

{{- define "lokeys.labels" -}}
{app.kubernetes.io/name: lokeys, app.kubernetes.io/component: operator}
{{- end -}}

{{- define "lokeys.confined" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- define "lokeys.as" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end -}}
