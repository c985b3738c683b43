{{- /* What the operator does to the API, verb by verb: no Secrets, no wildcards (operator/RBAC.md says why). */ -}}
{{- define "heartops.rules" -}}
- apiGroups: [heartops.dev]
  resources: [heartmodels, federationsites]
  verbs: [get, list, watch]
- apiGroups: [heartops.dev]
  resources: [retrainschedules]
  verbs: [list, watch]
- apiGroups: [heartops.dev]
  resources: [heartmodels/status, retrainschedules/status, federationsites/status]
  verbs: [update]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [apps]
  resources: [deployments/scale]
  verbs: [patch]
- apiGroups: [""]
  resources: [services, serviceaccounts, configmaps]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [pods]
  verbs: [list]
- apiGroups: [""]
  resources: [events]
  verbs: [list, create]
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [networking.k8s.io]
  resources: [ingresses, networkpolicies]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [gateway.networking.k8s.io]
  resources: [httproutes]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [monitoring.coreos.com]
  resources: [servicemonitors, prometheusrules]
  verbs: [get, list, watch, create, patch, delete]
{{- if include "heartops.trainJobs" . }}
- apiGroups: [trainer.kubeflow.org]
  resources: [trainjobs]
  verbs: [get, list, watch, create, patch, delete]
{{- end }}
{{- if include "heartops.queues" . }}
- apiGroups: [kueue.x-k8s.io]
  resources: [workloads]
  verbs: [list]
{{- end }}
{{- end -}}

{{- /* Whether a runtime profile trains by TrainJobs of Kubeflow. */ -}}
{{- define "heartops.trainJobs" -}}
{{- range .Values.runtimes }}{{ if dig "training" "trainJob" dict . }}true{{ end }}{{ end -}}
{{- end -}}

{{- /* Whether a runtime profile names a queue of Kueue. */ -}}
{{- define "heartops.queues" -}}
{{- range .Values.runtimes }}{{ dig "training" "queueName" "" . }}{{ end -}}
{{- end -}}

{{- /* The pulse of /livez: the operator's own Lease, seen through its watch. */ -}}
{{- define "heartops.pulseRule" -}}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [{{ include "heartops.name" . }}-operator]
  verbs: [list, watch]
{{- end -}}
