"""HeartModels that are accepted, and ones that are rejected with the field that is named: for API server and laptop."""

from typing import Any

from tests.support.plan.changes import GONE, Resource

SMALLEST: Resource = {
    "apiVersion": "heartops.dev/v1alpha1",
    "kind": "HeartModel",
    "metadata": {"name": "heart", "namespace": "default"},
    "spec": {
        "dataset": {"uri": "https://example.org/heart.csv"},
        "target": {"name": "num"},
        "features": [
            {"name": "age", "type": "number", "minimum": 0, "maximum": 120},
            {"name": "sex", "type": "category", "values": [0, 1], "sensitive": True},
        ],
    },
}

FEATURE = "spec.features.0"
SITES = {"sites": ["north/ward", "south/ward"]}
CHECKS = "spec.gates.checks"

DISTRIBUTED: dict[str, Any] = {
    "spec.dataset.uri": "pvc://data/rows.parquet",
    "spec.dataset.format": "parquet",
    "spec.training.scale.mode": "Distributed",
    "spec.training.scale.workers": 2,
}

GOOD: dict[str, dict[str, Any]] = {
    "a file that DVC tracks": {
        "spec.dataset.uri": "dvc+https://git.example.org/team/heart.git#data/heart.csv",
        "spec.dataset.rev": "v1.2",
    },
    "labels of predictions": {"spec.serving": {"predictionLog": {"labels": ["site", "ward_2"]}}},
    "a registered model with capital letters": {"spec.registryName": "CaliforniaHousingBestModel"},
    "smallest": {},
    "a file by digest and column names": {
        "spec.dataset": {
            "uri": "https://archive.example.org:8443/heart.data?x=1",
            "sha256": "a" * 64,
            "columns": ["age", "sex", "num"],
            "missingValues": ["?"],
        }
    },
    "columns as they are": {
        "spec.features.0.column": "2nd weight (kg) %",
        "spec.target.column": "[ill] ä",
        "spec.dataset.csv": {"separator": ";", "decimal": ",", "encoding": "cp1252", "skipRows": 2, "comment": "#"},
    },
    "a header that is replaced": {"spec.dataset.columns": ["age", "sex", "num"], "spec.dataset.header": True},
    "numbers as missing values": {"spec.dataset.missingValues": [-9, "?"], "spec.features.0.missingValues": [0]},
    "s3": {"spec.dataset.uri": "s3://bucket/a/b.parquet", "spec.dataset.format": "parquet"},
    "all Parquet files below an address": {
        "spec.dataset.uri": "s3://bucket/cohort/",
        "spec.dataset.format": "parquet",
        "spec.training.scale": {"mode": "External"},
    },
    "xgboost": {"spec.training.algorithms": ["xgboost"]},
    "xgboost of numbers": {"spec.training": {"task": "regression", "algorithms": ["ridge", "xgboost"]}},
    "xgboost in chunks": {"spec.training": {"algorithms": ["xgboost"], "scale": {"mode": "External"}}},
    "two workers": {
        "spec.dataset.uri": "s3://bucket/cohort/",
        "spec.dataset.format": "parquet",
        "spec.training": {"algorithms": ["xgboost"], "scale": {"mode": "Distributed", "workers": 2}},
    },
    "a trainer of one's own": {
        "spec.training": {"trainer": "lightgbm", "holdout": 0.25, "parameters": {"depth": 3, "grid": [{"a": None}]}},
    },
    "a shared search": {"spec.training.tuning": {"parallelism": 6}},
    "a volume": {"spec.dataset.uri": "pvc://data/2024/heart.csv"},
    "a ConfigMap": {"spec.dataset.uri": "configmap://heart-data/heart.csv"},
    "built in with options": {"spec.dataset.uri": "builtin://heart-synthetic?rows=300&shift=0.5"},
    "binary by threshold": {"spec.target.positiveAbove": 0, "spec.target.labels": ["healthy", "ill"]},
    "labels by value": {"spec.target.labels": {"0": "healthy", "1": "ill"}, "spec.target.positive": True},
    "regression": {
        "spec.training": {"task": "regression", "algorithms": ["ridge", "stacking"], "scoring": "rmse"},
        CHECKS: [{"metric": "rmse", "max": 0.5}],
    },
    "every kind of check": {
        CHECKS: [
            {"metric": "roc_auc", "min": 0.8},
            {"metric": "brier", "max": 0.16},
            {"metric": "roc_auc", "maxRegression": 0.02},
            {"metric": "recall", "slice": "sex", "maxGap": 0.15},
        ]
    },
    "words as category values": {"spec.features.1.values": ["low", "high", 3]},
    "a fixed number of pods": {"spec.serving.replicas": 0},
    "an autoscaler": {"spec.serving.autoscaling": {"minReplicas": 1, "maxReplicas": 1}},
    "autoscaling on predictions": {
        "spec.serving.autoscaling": {"targetPredictionsPerSecond": 50, "scaleDownStabilizationWindow": "15s"}
    },
    "amounts as numbers and as text": {
        "spec.serving.resources": {"requests": {"cpu": 1, "memory": "0.5Gi"}, "limits": {"cpu": "1500m"}}
    },
    "a prediction log": {
        "spec.serving.predictionLog": {"sink": "Stdout", "samplePercent": 0, "redact": ["age"], "retentionDays": 1}
    },
    "no prediction log": {"spec.serving.predictionLog.sink": "None"},
    "learning from feedback": {"spec.dataset.includeFeedback": True, "spec.serving.predictionLog.samplePercent": 50},
    "API keys": {"spec.serving.auth": "APIKey"},
    "tokens": {
        "spec.serving.auth": "JWT",
        "spec.serving.jwt": {"issuer": "https://sso.example.org", "audience": "heart", "clockSkewSeconds": 0},
    },
    "tokens by an address": {
        "spec.serving.auth": "JWT",
        "spec.serving.jwt": {"issuer": "a", "audience": "b", "jwksUrl": "https://sso/keys", "scopePrefix": "heart:"},
    },
    "TLS": {"spec.serving.tls": {"secretName": "heart-tls"}},
    "ingress": {"spec.serving.ingress": {"host": "*.heart.example.org", "className": "nginx", "tlsSecretName": "tls"}},
    "a version by number": {"spec.version": 7},
    "a version by number as text": {"spec.version": "7"},
    "a version by alias": {"spec.version": "@champion"},
    "all traffic at once": {"spec.rollout.steps": []},
    "a pause without end": {"spec.rollout.steps": [{"setWeight": 5}, {"pause": {}}]},
    "an experiment by a header": {
        "spec.rollout.experiment": {"duration": "14d", "by": {"header": "X-User-Id"}, "minDetectable": 0.02}
    },
    "an experiment by a cookie": {
        "spec.rollout.experiment": {
            "duration": "1h",
            "split": 10,
            "by": {"cookie": "visitor"},
            "metric": "MeanOutcome",
            "goal": "Minimize",
            "minDetectable": 12.5,
            "onInconclusive": "Rollback",
        }
    },
    "a route": {"spec.serving.route": {"gateway": {"name": "public"}, "hostnames": ["heart.example.org"]}},
    "256 features": {"spec.features": [{"name": f"f{i}", "type": "boolean"} for i in range(256)]},
    "the longest name": {"metadata.name": "a" * 63},
}

BAD: dict[str, tuple[dict[str, Any], str]] = {
    "a revision without Git": ({"spec.dataset.rev": "v1"}, "rev is for dvc+https addresses"),
    "a DVC address without a path": (
        {"spec.dataset.uri": "dvc+https://git.example.org/team/heart.git"},
        "spec.dataset.uri",
    ),
    "a revision that is an option": (
        {"spec.dataset.uri": "dvc+https://git.example.org/heart.git#a.csv", "spec.dataset.rev": "--upload-pack=x"},
        "spec.dataset.rev",
    ),
    "a label with a capital letter": (
        {"spec.serving": {"predictionLog": {"labels": ["Site"]}}},
        "predictionLog.labels",
    ),
    "a label twice": ({"spec.serving": {"predictionLog": {"labels": ["site", "site"]}}}, "predictionLog.labels"),
    "codes that YAML changed": ({"spec.features.1.codes": {"false": 0, "true": 1}}, "true and false are no names"),
    "codes of a number": ({"spec.features.0.codes": {"old": 1}}, "codes are for the type category"),
    "a code of no value": ({"spec.features.1.codes": {"female": 7}}, "codes must name values of the feature"),
    "a code that is a value": (
        {"spec.features.1.values": ["a", "b"], "spec.features.1.codes": {"a": "b"}},
        "a name in codes must not itself be one of the values",
    ),
    # what serves
    "a version of none": ({"spec.version": 0}, "spec.version"),
    "a version by a word": ({"spec.version": "newest"}, "spec.version"),
    "an alias of the operator": ({"spec.version": "@serving"}, "spec.version"),
    "an unknown approval": ({"spec.approval": "Sometimes"}, "spec.approval"),
    # rollout
    "a step that does nothing": ({"spec.rollout.steps": [{}]}, "spec.rollout.steps[0]"),
    "a step that does two things": (
        {"spec.rollout.steps": [{"setWeight": 5, "pause": {}}]},
        "spec.rollout.steps[0]",
    ),
    "all of the traffic as a step": ({"spec.rollout.steps": [{"setWeight": 100}]}, "spec.rollout.steps[0].setWeight"),
    "a pause of no time": (
        {"spec.rollout.steps": [{"pause": {"duration": "0s"}}]},
        "spec.rollout.steps[0].pause.duration",
    ),
    "more than all mirrored": ({"spec.rollout.mirror.percent": 101}, "spec.rollout.mirror.percent"),
    "slower than anybody can tell": (
        {"spec.rollout.analysis.maxLatencyP95": "11s"},
        "spec.rollout.analysis.maxLatencyP95",
    ),
    "an unknown end of evidence": ({"spec.rollout.analysis.onInconclusive": "Pray"}, "spec.rollout.analysis"),
    # dataset
    "no dataset": ({"spec.dataset": GONE}, "spec.dataset"),
    "unknown scheme": ({"spec.dataset.uri": "file:///etc/passwd"}, "spec.dataset.uri"),
    "way out of a volume": ({"spec.dataset.uri": "pvc://data/../../etc/passwd"}, "spec.dataset.uri"),
    "a claim in another namespace": ({"spec.dataset.uri": "pvc://other/../claim"}, "spec.dataset.uri"),
    "a claim's name that is none": ({"spec.dataset.uri": "pvc://Data_1/heart.csv"}, "spec.dataset.uri"),
    "a key with folders": ({"spec.dataset.uri": "configmap://data/a/b.csv"}, "spec.dataset.uri"),
    "half a digest": ({"spec.dataset.sha256": "abc"}, "spec.dataset.sha256"),
    "unknown format": ({"spec.dataset.format": "excel"}, "spec.dataset.format"),
    "columns of parquet": (
        {"spec.dataset.format": "parquet", "spec.dataset.columns": ["age", "sex", "num"]},
        "spec.dataset.columns",
    ),
    "columns without the target": ({"spec.dataset.columns": ["age", "sex"]}, "spec.dataset.columns"),
    "columns without a feature": ({"spec.dataset.columns": ["age", "num"]}, "spec.dataset.columns"),
    "a column twice": ({"spec.dataset.columns": ["age", "sex", "num", "age"]}, "spec.dataset.columns"),
    "a fraction as missing value": ({"spec.dataset.missingValues": [-9.5]}, "spec.dataset.missingValues[0]"),
    "a missing value twice": ({"spec.dataset.missingValues": ["?", "?"]}, "spec.dataset.missingValues[1]"),
    "no header and no columns": ({"spec.dataset.header": False}, "spec.dataset.columns"),
    "text options of parquet": (
        {"spec.dataset.format": "parquet", "spec.dataset.csv": {"separator": ";"}},
        "spec.dataset.csv",
    ),
    "a separator that is a decimal mark": (
        {"spec.dataset.csv": {"separator": ",", "decimal": ","}},
        "spec.dataset.csv.separator",
    ),
    "a separator of two characters": ({"spec.dataset.csv": {"separator": "::"}}, "spec.dataset.csv.separator"),
    "an encoding that is none": ({"spec.dataset.csv": {"encoding": "utf 8"}}, "spec.dataset.csv.encoding"),
    "a column without a name": ({f"{FEATURE}.column": ""}, "spec.features[0].column"),
    "the target's column as a feature": ({f"{FEATURE}.column": "num"}, "spec.features"),
    "columns without a feature's column": (
        {"spec.dataset.columns": ["age", "sex", "num"], f"{FEATURE}.column": "Age (years)"},
        "spec.dataset.columns",
    ),
    # target
    "no target": ({"spec.target": GONE}, "spec.target"),
    "target among the features": ({"spec.target.name": "age"}, "spec.features"),
    "threshold of a regression": (
        {"spec.target.positiveAbove": 0, "spec.training.task": "regression"},
        "spec.target.positiveAbove",
    ),
    # features
    "no features": ({"spec.features": []}, "spec.features"),
    "a feature twice": ({"spec.features.2": {"name": "age", "type": "number"}}, "spec.features"),
    "too many features": (
        {"spec.features": [{"name": f"f{i}", "type": "boolean"} for i in range(257)]},
        "spec.features",
    ),
    "a column name with a space": ({f"{FEATURE}.name": "max hr"}, "spec.features[0].name"),
    "unknown type": ({f"{FEATURE}.type": "text"}, "spec.features[0].type"),
    "bounds the wrong way round": ({f"{FEATURE}.minimum": 121}, "spec.features[0].minimum"),
    "bounds of a boolean": ({f"{FEATURE}.type": "boolean"}, "spec.features[0].type"),
    "a category without values": ({"spec.features.1.values": GONE}, "spec.features[1].values"),
    "values of a number": ({f"{FEATURE}.values": [1, 2]}, "spec.features[0].values"),
    "one value": ({"spec.features.1.values": [1]}, "spec.features[1].values"),
    "a value twice": ({"spec.features.1.values": [1, 1]}, "spec.features[1].values"),
    "true and false as values": ({"spec.features.1.values": [True, False]}, "spec.features[1].values"),
    "a fraction as value": ({"spec.features.1.values": [0.5, 1]}, "spec.features[1].values"),
    # training
    "unknown task": ({"spec.training.task": "clustering"}, "spec.training.task"),
    "unknown algorithm": ({"spec.training.algorithms": ["svm"]}, "spec.training.algorithms"),
    "an algorithm twice": ({"spec.training.algorithms": ["stacking", "stacking"]}, "spec.training.algorithms"),
    "an address of CSV files": ({"spec.dataset.uri": "pvc://data/cohort/"}, "spec.dataset.format"),
    "unknown scale": ({"spec.training.scale": {"mode": "Cluster"}}, "spec.training.scale.mode"),
    "no number of workers": (
        {
            "spec.dataset": {"uri": "pvc://data/rows.parquet", "format": "parquet"},
            "spec.training.scale.mode": "Distributed",
        },
        "spec.training.scale.workers",
    ),
    "a trainer of one's own on several workers": (
        DISTRIBUTED | {"spec.training.trainer": "ours", "spec.training.holdout": 0.2},
        "spec.training.",
    ),
    "one worker": (DISTRIBUTED | {"spec.training.scale.workers": 1}, "spec.training.scale.workers"),
    "workers of a mode that has none": ({"spec.training.scale": {"workers": 2}}, "spec.training.scale.workers"),
    "text files for several workers": (DISTRIBUTED | {"spec.dataset.format": "csv"}, "spec.dataset.format"),
    "workers on a web address": (
        DISTRIBUTED | {"spec.dataset.uri": "https://example.org/a.parquet"},
        "spec.dataset.uri",
    ),
    "forests on several workers": (
        DISTRIBUTED | {"spec.training.algorithms": ["random-forest"]},
        "spec.training.algorithms",
    ),
    "trees from sums": (
        {"spec.training.scale": {"mode": "External"}, "spec.training.algorithms": ["random-forest"]},
        "spec.training.algorithms",
    ),
    "a trainer that nothing judges": ({"spec.training": {"trainer": "lightgbm"}}, "spec.training.holdout"),
    "a trainer beside algorithms": (
        {"spec.training": {"trainer": "lightgbm", "holdout": 0.25, "algorithms": ["random-forest"]}},
        "spec.training.algorithms",
    ),
    "a trainer that is calibrated": (
        {"spec.training": {"trainer": "lightgbm", "holdout": 0.25, "calibration": "sigmoid"}},
        "spec.training.calibration",
    ),
    "a trainer in chunks": (
        {"spec.training": {"trainer": "lightgbm", "holdout": 0.25, "scale": {"mode": "External"}}},
        "spec.training.scale",
    ),
    "a trainer by its image": (
        {"spec.training": {"trainer": "registry.example.org/lightgbm:1", "holdout": 0.25}},
        "spec.training.trainer",
    ),
    "a search of nothing shared": (
        {"spec.training": {"trainer": "lightgbm", "holdout": 0.25, "tuning": {"parallelism": 2}}},
        "spec.training.tuning",
    ),
    "too many pods for a search": ({"spec.training.tuning": {"parallelism": 22}}, "spec.training.tuning.parallelism"),
    "ridge for classes": ({"spec.training.algorithms": ["ridge"]}, "spec.training.algorithms"),
    "logistic regression for numbers": (
        {"spec.training": {"task": "regression", "algorithms": ["logistic-regression"]}},
        "spec.training.algorithms",
    ),
    "rmse for classes": ({"spec.training.scoring": "rmse"}, "spec.training.scoring"),
    "roc_auc for numbers": ({"spec.training": {"task": "regression", "scoring": "roc_auc"}}, "spec.training.scoring"),
    "calibrated numbers": (
        {"spec.training": {"task": "regression", "calibration": "isotonic"}},
        "spec.training.calibration",
    ),
    "one fold": ({"spec.training.crossValidation.folds": 1}, "spec.training.crossValidation.folds"),
    "all rows held out": ({"spec.training.holdout": 1}, "spec.training.holdout"),
    "a negative seed": ({"spec.training.seed": -1}, "spec.training.seed"),
    "no time": ({"spec.training.timeoutSeconds": 0}, "spec.training.timeoutSeconds"),
    "an engine, which does not exist yet": ({"spec.training.engine": "Dask"}, "spec.training.engine"),
    # gates
    "unknown metric": ({CHECKS: [{"metric": "auc", "min": 0.8}]}, "spec.gates.checks[0].metric"),
    "a check without bound": ({CHECKS: [{"metric": "roc_auc"}]}, "spec.gates.checks[0]"),
    "a check with two bounds": ({CHECKS: [{"metric": "roc_auc", "min": 0.8, "max": 0.9}]}, "spec.gates.checks[0]"),
    "a slope that may not get worse": (
        {CHECKS: [{"metric": "calibration_slope", "maxRegression": 0.1}]},
        "spec.gates.checks[0].metric",
    ),
    "a gap of nothing": ({CHECKS: [{"metric": "recall", "maxGap": 0.1}]}, "spec.gates.checks[0].slice"),
    "a slice without a gap": (
        {CHECKS: [{"metric": "recall", "min": 0.1, "slice": "sex"}]},
        "spec.gates.checks[0].slice",
    ),
    "a slice that is no feature": (
        {CHECKS: [{"metric": "recall", "maxGap": 0.1, "slice": "race"}]},
        "spec.gates.checks",
    ),
    "a slice that is not sensitive": (
        {CHECKS: [{"metric": "recall", "maxGap": 0.1, "slice": "age"}]},
        "spec.gates.checks",
    ),
    "a metric of another task": ({CHECKS: [{"metric": "rmse", "max": 0.1}]}, "spec.gates.checks"),
    "a negative regression": (
        {CHECKS: [{"metric": "roc_auc", "maxRegression": -0.1}]},
        "spec.gates.checks[0].maxRegression",
    ),
    # serving
    "replicas and autoscaler": (
        {"spec.serving": {"replicas": 3, "autoscaling": {"minReplicas": 3}}},
        "spec.serving.replicas",
    ),
    "another sink": ({"spec.serving.predictionLog.sink": "Kafka"}, "spec.serving.predictionLog.sink"),
    "more than all": ({"spec.serving.predictionLog.samplePercent": 101}, "spec.serving.predictionLog.samplePercent"),
    "kept for no day": ({"spec.serving.predictionLog.retentionDays": 0}, "spec.serving.predictionLog.retentionDays"),
    "a stranger redacted": ({"spec.serving.predictionLog.redact": ["agee"]}, "spec.serving.predictionLog.redact"),
    "feedback without a log": (
        {"spec.dataset.includeFeedback": True, "spec.serving.predictionLog.sink": "None"},
        "spec.dataset.includeFeedback",
    ),
    "feedback of redacted rows": (
        {"spec.dataset.includeFeedback": True, "spec.serving.predictionLog.redact": ["age"]},
        "spec.dataset.includeFeedback",
    ),
    "tokens of nobody": ({"spec.serving.auth": "JWT"}, "spec.serving.jwt"),
    "tokens that are not asked for": (
        {"spec.serving.jwt": {"issuer": "https://sso.example.org", "audience": "heart"}},
        "spec.serving.jwt",
    ),
    "passwords": ({"spec.serving.auth": "Basic"}, "spec.serving.auth"),
    "keys without TLS": (
        {
            "spec.serving.auth": "JWT",
            "spec.serving.jwt": {"issuer": "a", "audience": "b", "jwksUrl": "http://sso.example.org/keys"},
        },
        "spec.serving.jwt.jwksUrl",
    ),
    "a skew of an hour": (
        {"spec.serving.auth": "JWT", "spec.serving.jwt": {"issuer": "a", "audience": "b", "clockSkewSeconds": 3600}},
        "spec.serving.jwt.clockSkewSeconds",
    ),
    "callers of nothing": ({"spec.serving.callers": [{}]}, "select namespaces, pods or both"),
    "a caller's requirement without an operator": (
        {"spec.serving.callers": [{"podSelector": {"matchExpressions": [{"key": "app"}]}}]},
        "spec.serving.callers[0].podSelector.matchExpressions[0].operator",
    ),
    "TLS by no name": ({"spec.serving.tls": {"secretName": "Heart"}}, "spec.serving.tls.secretName"),
    "negative replicas": ({"spec.serving.replicas": -1}, "spec.serving.replicas"),
    "more at least than at most": (
        {"spec.serving.autoscaling.minReplicas": 21},
        "spec.serving.autoscaling.minReplicas",
    ),
    "an autoscaler down to nothing": (
        {"spec.serving.autoscaling.minReplicas": 0},
        "spec.serving.autoscaling.minReplicas",
    ),
    "autoscaling on no predictions": (
        {"spec.serving.autoscaling.targetPredictionsPerSecond": 0},
        "spec.serving.autoscaling.targetPredictionsPerSecond",
    ),
    "pods that are kept for longer than Kubernetes can": (
        {"spec.serving.autoscaling.scaleDownStabilizationWindow": "61m"},
        "spec.serving.autoscaling.scaleDownStabilizationWindow",
    ),
    "no memory": ({"spec.serving.resources.limits.memory": 0}, "spec.serving.resources.limits.memory"),
    "no cores": ({"spec.serving.resources.limits.cpu": "0m"}, "spec.serving.resources.limits.cpu"),
    "memory in a unit that is none": (
        {"spec.training.resources.limits.memory": "4GB"},
        "spec.training.resources.limits.memory",
    ),
    "a request above its limit": (
        {"spec.serving.resources": {"requests": {"cpu": 2}, "limits": {"cpu": "1500m"}}},
        "spec.serving.resources.requests.cpu",
    ),
    "more memory asked for than allowed": (
        {"spec.training.resources": {"requests": {"memory": "2Gi"}, "limits": {"memory": "2000Mi"}}},
        "spec.training.resources.requests.memory",
    ),
    "a GPU, which no resource may ask for": (
        {"spec.serving.resources.limits": {"nvidia.com/gpu": 1}},
        "nvidia.com/gpu",
    ),
    "an address as host": ({"spec.serving.ingress.host": "http://heart"}, "spec.serving.ingress.host"),
    "a path that climbs": ({"spec.serving.ingress": {"host": "a.b", "path": "/a/../b"}}, "spec.serving.ingress.path"),
    "an empty segment": ({"spec.serving.ingress": {"host": "a.b", "path": "/a//b"}}, "spec.serving.ingress.path"),
    "a path that is none": ({"spec.serving.ingress": {"host": "a.b", "path": "x;"}}, "spec.serving.ingress.path"),
    # rollout and monitoring
    "an experiment by nothing": (
        {"spec.rollout.experiment": {"duration": "1d", "by": {}, "minDetectable": 0.02}},
        "set either header or cookie",
    ),
    "an experiment by both": (
        {"spec.rollout.experiment": {"duration": "1d", "by": {"header": "A", "cookie": "b"}, "minDetectable": 0.02}},
        "set either header or cookie",
    ),
    "an experiment with everybody": (
        {"spec.rollout.experiment": {"duration": "1d", "split": 100, "by": {"header": "A"}, "minDetectable": 0.02}},
        "spec.rollout.experiment.split",
    ),
    "an experiment about nothing": (
        {"spec.rollout.experiment": {"duration": "1d", "by": {"header": "A"}, "minDetectable": 0}},
        "spec.rollout.experiment.minDetectable",
    ),
    "an experiment without an end": (
        {"spec.rollout.experiment": {"duration": "0s", "by": {"header": "A"}, "minDetectable": 0.02}},
        "spec.rollout.experiment.duration",
    ),
    "no time to get ready": ({"spec.rollout.readyDeadline": "0s"}, "spec.rollout.readyDeadline"),
    "a length of time in words": ({"spec.rollout.rollbackWindow": "one hour"}, "spec.rollout.rollbackWindow"),
    "more errors to warn than to call": (
        {"spec.monitoring.alerts.errorRate": {"warning": 0.1, "critical": 0.05}},
        "spec.monitoring.alerts.errorRate.warning",
    ),
    "a worse accuracy to warn than to call": (
        {"spec.monitoring.alerts.accuracy": {"warning": 0.6, "critical": 0.7}},
        "spec.monitoring.alerts.accuracy.warning",
    ),
    "longer to warn than to call": (
        {"spec.monitoring.alerts.latencyP95": {"warning": "2s", "critical": "900ms"}},
        "spec.monitoring.alerts.latencyP95.warning",
    ),
    "longer than anybody can tell": (
        {"spec.monitoring.alerts.latencyP95": {"warning": "2s", "critical": "1m"}},
        "spec.monitoring.alerts.latencyP95.critical",
    ),
    "no errors ever": ({"spec.monitoring.alerts.availabilityObjective": 1}, "availabilityObjective"),
    # sites
    "no data at all": ({"spec.dataset": GONE}, "exactly one of dataset and federation"),
    "data and sites": ({"spec.federation": SITES}, "exactly one of dataset and federation"),
    "sites that nobody named": (
        {"spec.dataset": GONE, "spec.federation": {}},
        "exactly one of sites and selector",
    ),
    "more sites than there are": (
        {"spec.dataset": GONE, "spec.federation": SITES | {"minSites": 3}},
        "minSites must not be greater",
    ),
    "a trainer of one's own at sites": (
        {
            "spec.dataset": GONE,
            "spec.federation": SITES,
            "spec.training": {"trainer": "our-lightgbm", "holdout": 0.25},
        },
        "stay at the sites",
    ),
    "boosting at sites": (
        {"spec.dataset": GONE, "spec.federation": SITES, "spec.training": {"algorithms": ["gradient-boosting"]}},
        "sites train linear models and random forests",
    ),
    "sites and workers": (
        {
            "spec.dataset": GONE,
            "spec.federation": SITES,
            "spec.training": {"algorithms": ["logistic-regression"], "scale": {"mode": "Distributed", "workers": 2}},
        },
        "with federation leave scale.mode",
    ),
    "a feature called site": (
        {"spec.dataset": GONE, "spec.federation": SITES, f"{FEATURE}.name": "site"},
        "give the feature another name",
    ),
    # what must not exist
    "a pod template": ({"spec.serving.template": {}}, "spec.serving.template"),
    "an image": ({"spec.training.image": "evil"}, "spec.training.image"),
    "a typing error": ({"spec.trainning": {}}, "spec.trainning"),
    "an unknown feature field": ({f"{FEATURE}.min": 0}, "spec.features[0].min"),
    # names
    "a name with a dot": ({"metadata.name": "heart.v1"}, "metadata.name"),
    "a name that begins with a digit": ({"metadata.name": "1heart"}, "metadata.name"),
    "a name too long for a Service": ({"metadata.name": "a" * 64}, "metadata.name"),
    "a runtime with a path": ({"spec.runtime": "../default"}, "spec.runtime"),
    "a registry name with a quote": ({"spec.registryName": "a' or name like '%"}, "spec.registryName"),
}
