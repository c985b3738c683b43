"""What the other words of a status mean: phases, verdicts, states, and why a site stopped. For `kubectl heart explain`.

A test sees that no word of the CRDs is forgotten, except those that say it themselves.
"""

from heart_api.explained import Explained

CANDIDATE_PHASES = {
    "Starting": Explained("The candidate's first pods are not ready yet; it gets no traffic."),
    "Scaling": Explained("The candidate gets as many pods as its next weight needs."),
    "Held": Explained(
        "The rollout waits: evidence is missing at the end of a pause and `onInconclusive` is Hold, or the message has"
        " another reason.",
        "Send it traffic, or decide: `kubectl heart promote` or `kubectl heart abort`.",
    ),
}
ORIGINS = {
    "Sealed": Explained("An evaluation Job found a training Job's valid seal: the version was trained here."),
    "Outside": Explained(
        "No training Job of this HeartModel registered the version; anybody with the registry's rights may have.",
        "Look at it, then approve it with `kubectl heart promote`, or leave it.",
    ),
}
ANALYSIS_VERDICTS = {
    "Inconclusive": Explained(
        "The traffic of the interval does not support a verdict: too few requests.",
        "Send requests (`kubectl heart load`), or lower `spec.rollout.analysis.minRequests`.",
    ),
}
EXPERIMENT_VERDICTS = {
    "Better": Explained("The candidate is better beyond doubt, and is promoted."),
    "Worse": Explained("The candidate is worse beyond doubt, and is rejected."),
    "NoDifference": Explained(
        "No difference as large as `minDetectable` is left possible; `onInconclusive` decides.",
        "With Hold: `kubectl heart promote` or `kubectl heart abort`.",
    ),
    "TimeUp": Explained(
        "The experiment was undecided at the end of its `duration`; `onInconclusive` decides.",
        "With Hold: `kubectl heart promote` or `kubectl heart abort`. Next time allow it more time, or a larger"
        " `minDetectable`.",
    ),
}
CHECK_VERDICTS = {
    "Drift": Explained(
        "More features than the threshold allows have drifted, in two windows in a row.",
        "Nothing, if a RetrainSchedule reacts; else look at the features and `kubectl heart retrain`.",
    ),
    "Unconfirmed": Explained("Only the newer of two windows drifted.", "Nothing: the next check confirms it or not."),
    "Acceptable": Explained("Live quality is above the threshold beyond doubt."),
    "Below": Explained(
        "Live quality is below the threshold beyond doubt.",
        "Nothing, if a RetrainSchedule reacts; else `kubectl heart retrain` once there are newer data.",
    ),
    "Uncertain": Explained(
        "The interval of live quality contains the threshold.", "Report more outcomes to `/feedback`."
    ),
}
SITE_STATES = {
    "Active": Explained("The site answers the training."),
    "Offline": Explained(
        "The site has sent no heartbeat for about a minute.", "See `kubectl logs` of its Job, in its namespace."
    ),
    "Late": Explained(
        "The site gave no answer within `spec.federation.roundDeadlineSeconds`.",
        "Raise the deadline, or give the site's pod more CPU.",
    ),
    "Rejected": Explained(
        "The site does not take part, and its message says why: for example, it does not allow this model.",
        "Ask the site's owner; `onMissingSite` decides whether the others go on.",
    ),
    "Completed": Explained("The site answered until the training was done."),
    "Withdrawn": Explained(
        "The site's consent ended during the training.", "Ask the site's owner; `onMissingSite` decides what follows."
    ),
    "Missing": Explained(
        "There is no FederationSite of that name.", "Correct `spec.federation.sites`, or ask the site's owner."
    ),
    "NotNamed": Explained(
        "The allowed model exists, and does not name this site.",
        "Ask the model's owner to name the site in `spec.federation`.",
    ),
}
SITE_FAILURES = {
    "BundleMismatch": Explained(
        "Coordinator and site do not run the same code.", "Use the same release of HeartOps at both."
    ),
    "CoordinatorUnreachable": Explained(
        "The site could not reach the coordinator before its deadline.",
        "Check the address, the NetworkPolicies, and a gateway between the clusters.",
    ),
    "CoordinatorUntrusted": Explained(
        "The certificate of the coordinator is not signed by the authority that the site was given.",
        "Give the site the certificate of this training; if it has it, somebody else answers at that address.",
    ),
}
WORDS = {
    "phase of a candidate": CANDIDATE_PHASES,
    "origin of a candidate": ORIGINS,
    "verdict of an analysis": ANALYSIS_VERDICTS,
    "verdict of an experiment": EXPERIMENT_VERDICTS,
    "verdict of a drift or quality check": CHECK_VERDICTS,
    "state of a site": SITE_STATES,
    "failure of a site": SITE_FAILURES,
}
"""By what each word is, as a person would say it."""
