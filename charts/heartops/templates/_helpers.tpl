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

{{- /* Who decides what a caller may do in MLflow: None | Kubernetes. */ -}}
{{- define "heartops.registryAuth" -}}
{{- .Values.mlflow.auth | default (ternary "Kubernetes" "None" .Values.mlflow.enabled) -}}
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

{{- /* Component of the PostgreSQL that holds the prediction log. */ -}}
{{- define "heartops.logComponent" -}}
{{ ternary "log-postgresql" "postgresql" .Values.predictionLog.separateServer }}
{{- end -}}

{{- /* host:port of the prediction log's PostgreSQL that the chart installs. */ -}}
{{- define "heartops.databaseAddress" -}}
{{ include "heartops.name" . }}-{{ include "heartops.logComponent" . }}.{{ .Release.Namespace }}.svc:5432
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
        {{- with .Values.predictionLog.limits }}
        args:
          - --connections={{ .connections }}
          - --statement-seconds={{ .statementSeconds }}
          - --temp-megabytes={{ .temporaryMegabytes }}
          - --rows-per-day={{ int64 .rowsPerDay }}
          - --megabytes-per-day={{ int64 .megabytesPerDay }}
        {{- end }}
        env:
          - name: OWNER_PASSWORD
            valueFrom: {secretKeyRef: {name: {{ include "heartops.databaseSecret" . }}, key: heartops-password}}
          - name: HEARTOPS_DATABASE_URL
            value: postgresql://heartops_owner:$(OWNER_PASSWORD)@{{ include "heartops.databaseAddress" . }}/heartops
        resources:
          requests: {cpu: 50m, memory: 96Mi}
          limits: {memory: 256Mi}
        securityContext:
          {{- include "heartops.containerSecurity" . | nindent 10 }}
        volumeMounts:
          - {name: namespaces, mountPath: /etc/heartops/namespaces, readOnly: true}
    volumes:
      - name: namespaces
        secret: {secretName: {{ include "heartops.loginsSecret" . }}}
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

{{- /* Labels of a ServiceMonitor or a PrometheusRule: monitoring.labels, which cannot replace the chart's own. */ -}}
{{- define "heartops.monitoringLabels" -}}
{{- merge (include "heartops.labels" . | fromYaml) (first .).Values.monitoring.labels | toYaml -}}
{{- end -}}

{{- /* The runbook of an alert, as an annotation; called with (list $ "HeartOpsAlert"). */ -}}
{{- define "heartops.runbook" -}}
{{- $page := printf "%s.md" (last .) -}}
{{- with (first .).Values.monitoring.runbookUrl -}}
runbook_url: {{ printf "%s/%s" (trimSuffix "/" .) $page }}
{{- else -}}
runbook: docs/runbooks/{{ $page }}
{{- end -}}
{{- end -}}

{{- /* One runtime profile: its own settings over what the rest of the values say; called with (list $ profile). */ -}}
{{- define "heartops.profile" -}}
{{- $root := first . -}}
{{- $defaults := dict
      "images" (pick $root.Values.images "trainer" "serving" "federation" "dvc")
      "imagePullPolicy" $root.Values.imagePullPolicy
      "imagePullSecrets" $root.Values.imagePullSecrets
      "trackingUri" (include "heartops.trackingUri" $root)
      "trackingAuth" (include "heartops.registryAuth" $root)
      "monitoringNamespaces" $root.Values.monitoring.namespaces
      "callers" (list (dict "namespaceSelector" (dict "matchLabels" (dict "kubernetes.io/metadata.name" "kube-system"))))
      "monitoringLabels" $root.Values.monitoring.labels
      "runbookUrl" $root.Values.monitoring.runbookUrl -}}
{{- with $root.Values.monitoring.prometheusUrl }}{{ $_ := set $defaults "prometheusUrl" . }}{{ end -}}
{{- if $root.Values.mlflow.enabled }}{{ $_ := set $defaults "databaseAddress" (include "heartops.databaseAddress" $root) }}{{ end -}}
{{- if not $root.Values.mlflow.enabled }}
{{- with $root.Values.mlflow.existingSecret }}{{ $_ := set $defaults "trackingSecret" . }}{{ end -}}
{{- if $root.Values.mlflow.insecure }}{{ $_ := set $defaults "insecure" true }}{{ end -}}
{{- end }}
{{- $profile := mustMergeOverwrite (deepCopy $defaults) (deepCopy (last . | default dict)) -}}
{{- /* The operator reads the pods' metrics too. */ -}}
{{- with $profile.monitoringNamespaces }}{{ $_ := set $profile "monitoringNamespaces" (append . $root.Release.Namespace | uniq) }}{{ end -}}
{{- $profile | toYaml -}}
{{- end -}}

{{- /* Names of the Secrets with credentials for MLflow that runtime profiles name, as a JSON list. */ -}}
{{- define "heartops.registrySecrets" -}}
{{- $names := list -}}
{{- range .Values.runtimes -}}
{{- $profile := include "heartops.profile" (list $ .) | fromYaml -}}
{{- $names = append $names $profile.trackingSecret -}}
{{- end -}}
{{- compact $names | uniq | toJson -}}
{{- end -}}

{{- /* Secret with the passwords of PostgreSQL's own roles: keys `password` (mlflow) and `heartops-password`. */ -}}
{{- define "heartops.databaseSecret" -}}
{{ .Values.postgresql.existingSecret | default (printf "%s-postgresql" (include "heartops.name" .)) }}
{{- end -}}

{{- /* Secret with the password of each namespace's login of the prediction log. */ -}}
{{- define "heartops.loginsSecret" -}}
{{ .Values.predictionLog.existingSecret | default (printf "%s-log-namespaces" (include "heartops.name" .)) }}
{{- end -}}

{{- /* spec of the Job that makes missing Secrets; called with (list $ account options). */ -}}
{{- define "heartops.secretsJob" -}}
{{- $root := index . 0 -}}
backoffLimit: 20
template:
  metadata:
    labels:
      {{- include "heartops.labels" (list $root "secrets") | nindent 6 }}
  spec:
    restartPolicy: OnFailure
    serviceAccountName: {{ index . 1 }}
    automountServiceAccountToken: true
    enableServiceLinks: false
    {{- include "heartops.pullSecrets" $root | nindent 4 }}
    securityContext:
      {{- include "heartops.podSecurity" 65532 | nindent 6 }}
    containers:
      - name: secrets
        image: {{ $root.Values.images.operator | quote }}
        imagePullPolicy: {{ $root.Values.imagePullPolicy }}
        command: [python3, -m, heart_operator.bootstrap]
        args:
          {{- range index . 2 }}
          - {{ . }}
          {{- end }}
        resources:
          requests: {cpu: 50m, memory: 96Mi}
          limits: {memory: 256Mi}
        securityContext:
          {{- include "heartops.containerSecurity" $root | nindent 10 }}
    {{- with $root.Values.operator.nodeSelector }}
    nodeSelector:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    {{- with $root.Values.operator.tolerations }}
    tolerations:
      {{- toYaml . | nindent 6 }}
    {{- end }}
{{- end -}}

{{- /* Secrets that the triggers need: folder → name of the Secret, as a JSON object. */ -}}
{{- define "heartops.triggerSecrets" -}}
{{- $found := dict -}}
{{- if .Values.triggers.enabled -}}
{{- with .Values.triggers.tlsSecret -}}{{- $_ := set $found "tls" . -}}{{- end -}}
{{- with .Values.triggers.webhookSecret -}}{{- $_ := set $found "keys" . -}}{{- end -}}
{{- end -}}
{{- toJson $found -}}
{{- end }}
