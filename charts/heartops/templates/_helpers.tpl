{{- /* `release` when it contains the chart's name, else `release-heartops`; room is left for suffixes. */ -}}
{{- define "heartops.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- /* Labels that select pods; called with (list $ "component"). */ -}}
{{- define "heartops.selector" -}}
{{- $root := first . -}}
app.kubernetes.io/name: {{ $root.Chart.Name }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ last . }}
{{- end -}}

{{- /* All labels of an object; called with (list $ "component"). */ -}}
{{- define "heartops.labels" -}}
{{- $root := first . -}}
{{ include "heartops.selector" . }}
app.kubernetes.io/part-of: heartops
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version }}
{{- end -}}

{{- /* Pod Security `restricted`, the same for every pod; called with the uid. */ -}}
{{- define "heartops.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "heartops.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- define "heartops.pullSecrets" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end -}}

{{- /* Where MLflow answers; the external address when the chart does not install it. */ -}}
{{- define "heartops.trackingUri" -}}
{{- if .Values.mlflow.enabled -}}
http://{{ include "heartops.name" . }}-mlflow.{{ .Release.Namespace }}.svc:5000
{{- else -}}
{{- required "mlflow.trackingUri must name your MLflow server when mlflow.enabled is false" .Values.mlflow.trackingUri -}}
{{- end -}}
{{- end -}}

{{- /* Ports of every Prometheus that the values name, as a JSON list. */ -}}
{{- define "heartops.prometheusPorts" -}}
{{- $urls := list .Values.monitoring.prometheusUrl -}}
{{- range .Values.runtimes }}{{ $urls = append $urls (. | default dict).prometheusUrl }}{{ end -}}
{{- $ports := list -}}
{{- range compact $urls -}}
{{- $url := urlParse . -}}
{{- $port := last (splitList ":" $url.host) -}}
{{- if not (regexMatch "^[0-9]+$" $port) }}{{ $port = ternary "443" "80" (eq $url.scheme "https") }}{{ end -}}
{{- $ports = append $ports (int $port) -}}
{{- end -}}
{{- $ports | uniq | toJson -}}
{{- end -}}

{{- /* host:port of the PostgreSQL that the chart installs. */ -}}
{{- define "heartops.databaseAddress" -}}
{{ include "heartops.name" . }}-postgresql.{{ .Release.Namespace }}.svc:5432
{{- end -}}

{{- /* spec of the Job that prepares the prediction log's database. It waits for the server itself. */ -}}
{{- define "heartops.databaseJob" -}}
backoffLimit: 20
template:
  metadata:
    labels:
      {{- include "heartops.labels" (list . "log-database") | nindent 6 }}
  spec:
    restartPolicy: OnFailure
    automountServiceAccountToken: false
    enableServiceLinks: false
    {{- include "heartops.pullSecrets" . | nindent 4 }}
    securityContext:
      {{- include "heartops.podSecurity" 65532 | nindent 6 }}
    containers:
      - name: log-database
        image: {{ .Values.images.serving | quote }}
        imagePullPolicy: {{ .Values.imagePullPolicy }}
        command: [python3, -m, heart_log, prepare, /etc/heartops/namespaces]
        env:
          - name: OWNER_PASSWORD
            valueFrom: {secretKeyRef: {name: {{ include "heartops.name" . }}-postgresql, key: heartops-password}}
          - name: HEARTOPS_DATABASE_URL
            value: postgresql://heartops:$(OWNER_PASSWORD)@{{ include "heartops.databaseAddress" . }}/heartops
        resources:
          requests: {cpu: 50m, memory: 96Mi}
          limits: {memory: 256Mi}
        securityContext:
          {{- include "heartops.containerSecurity" . | nindent 10 }}
        volumeMounts:
          - {name: namespaces, mountPath: /etc/heartops/namespaces, readOnly: true}
    volumes:
      - name: namespaces
        secret: {secretName: {{ include "heartops.name" . }}-log-namespaces}
    {{- with .Values.postgresql.nodeSelector }}
    nodeSelector:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    {{- with .Values.postgresql.tolerations }}
    tolerations:
      {{- toYaml . | nindent 6 }}
    {{- end }}
{{- end -}}

{{- /* `true` when the operator's ServiceMonitor is wanted and the cluster knows the kind. */ -}}
{{- define "heartops.serviceMonitor" -}}
{{- $wanted := toString .Values.monitoring.serviceMonitor -}}
{{- if or (eq $wanted "true") (and (eq $wanted "auto") (.Capabilities.APIVersions.Has "monitoring.coreos.com/v1/ServiceMonitor")) -}}
true
{{- end -}}
{{- end -}}

{{- /* One runtime profile: its own settings over what the rest of the values say; called with (list $ profile). */ -}}
{{- define "heartops.profile" -}}
{{- $root := first . -}}
{{- $defaults := dict
      "images" (pick $root.Values.images "trainer" "serving")
      "imagePullPolicy" $root.Values.imagePullPolicy
      "imagePullSecrets" $root.Values.imagePullSecrets
      "trackingUri" (include "heartops.trackingUri" $root)
      "monitoringNamespaces" $root.Values.monitoring.namespaces -}}
{{- with $root.Values.monitoring.prometheusUrl }}{{ $_ := set $defaults "prometheusUrl" . }}{{ end -}}
{{- if $root.Values.mlflow.enabled }}{{ $_ := set $defaults "databaseAddress" (include "heartops.databaseAddress" $root) }}{{ end -}}
{{- $profile := mustMergeOverwrite (deepCopy $defaults) (deepCopy (last . | default dict)) -}}
{{- /* The operator reads the pods' metrics too. */ -}}
{{- $_ := set $profile "monitoringNamespaces" (append ($profile.monitoringNamespaces | default list) $root.Release.Namespace | uniq) -}}
{{- $profile | toYaml -}}
{{- end -}}

{{- /* A random value made once: what the living Secret has, else a new one; called with (list $ secret key length). */ -}}
{{- define "heartops.keptRandom" -}}
{{- $root := index . 0 -}}
{{- $living := lookup "v1" "Secret" $root.Release.Namespace (index . 1) -}}
{{- if and $living (hasKey ($living.data | default dict) (index . 2)) -}}
{{- index $living.data (index . 2) -}}
{{- else -}}
{{- randAlphaNum (int (index . 3)) | b64enc -}}
{{- end -}}
{{- end -}}
