"""What the alerts are made of; tests/api/test_alerts.py runs them."""

from heart_operator.manifests.alerting import quoted


def alerts(case):
    (group,) = case.child("PrometheusRule")["spec"]["groups"]
    return [rule for rule in group["rules"] if "alert" in rule]


def limits(case, alert):
    return [float(rule["expr"].rsplit("> ", 1)[1]) for rule in alerts(case) if rule["alert"] == alert]


def test_the_spec_sets_the_limits(full):
    assert limits(full, "HeartModelErrorRate") == [0.1, 0.01]
    assert limits(full, "HeartModelLatency") == [2.5, 0.05]
    assert limits(full, "HeartModelErrorBudgetBurn") == [0.144, 0.06, 0.01]


def test_accuracy_is_for_classifications(smallest):
    assert limits_below(smallest, "HeartModelAccuracy") == [0.7, 0.75]
    regression = smallest.with_spec(training={"task": "regression"}, target={"name": "num"}, gates={})
    assert limits_below(regression, "HeartModelAccuracy") == []


def limits_below(case, alert):
    return [float(rule["expr"].rsplit("< ", 1)[1]) for rule in alerts(case) if rule["alert"] == alert]


def test_a_limit_that_cannot_be_reached_is_no_alert(full):
    case = full.with_spec(monitoring={"alerts": {"availabilityObjective": 0.9}})
    assert limits(case, "HeartModelErrorBudgetBurn") == [0.6, 0.1]


def test_a_model_that_is_scaled_to_nothing_on_purpose_is_not_down(smallest):
    names = {rule["alert"] for rule in alerts(smallest.with_spec(serving={"replicas": 0}))}
    assert "HeartModelDown" not in names
    assert "HeartModelDown" in {rule["alert"] for rule in alerts(smallest)}


def test_a_model_that_demands_keys_is_watched_for_having_none(smallest):
    def names(case):
        return [rule["alert"] for rule in alerts(case)]

    assert "HeartModelAdmitsNobody" not in names(smallest)
    guarded = smallest.with_spec(serving={"auth": "APIKey"})
    (rule,) = [rule for rule in alerts(guarded) if rule["alert"] == "HeartModelAdmitsNobody"]
    assert "kubectl heart key create" in rule["annotations"]["description"]


def test_every_alert_says_what_to_look_at(case):
    for rule in alerts(case):
        assert rule["annotations"]["summary"].startswith("HeartModel clinic/heart-disease ")
        description = rule["annotations"]["description"]
        assert any(hint in description for hint in ("kubectl ", "spec.", "prediction_log_dropped_total"))
        assert rule["labels"]["severity"] in ("critical", "warning", "info")


def test_text_stays_one_value_in_promql():
    assert quoted('a"} or vector(1) #\\\n') == '"a\\"} or vector(1) #\\\\\\n"'
