"""Rejections by a version's gate, by its evaluation, or by the registry's tags; and which of them are cleared."""

from datetime import datetime

from heart_api.heartmodel import RejectedStatus
from heart_api.names import Reason
from heart_operator.plan.gates.verdict import GateReport, gates_hash
from heart_operator.plan.observed import Observed
from heart_operator.plan.selection.rejections import (
    find_rejection,
    reject,
    tagged_rejection,
    with_rejection,
    without_gate_rejection,
)
from heart_operator.plan.selection.selection import Selection
from heart_operator.plan.versions import Version

Rejected = tuple[RejectedStatus, ...]


def judge_rejections(
    observed: Observed,
    stable: Version | None,
    selection: Selection,
    gate: GateReport | None,
    rejected: Rejected,
    now: datetime,
) -> Rejected:
    """The rejections with the gate's latest verdict. A gate never rejects the serving version: it is only replaced."""
    wanted, limit = selection.version, observed.model.spec.rollout.history_limit
    if wanted is None or (stable and stable.version == wanted.version):
        return rejected
    if find_rejection(rejected, wanted, gates_hash(observed.model.spec.gates)):
        return rejected
    if not selection.pinned and (tagged := tagged_rejection(observed, wanted, now)):
        return with_rejection(rejected, tagged, limit)
    if gate is None or gate.verdict == "InsufficientEvidence" or selection.pinned:
        return rejected
    if gate.passed:
        return without_gate_rejection(rejected, wanted)
    entry = reject(wanted, Reason.GATE_FAILED, gate.message, now, gate.gates_hash)
    return with_rejection(rejected, entry, limit)


def without_renamed(observed: Observed) -> Rejected:
    """Naming a version in `spec.version` again retries it, whatever was found before."""
    wanted, before = observed.model.spec.pinned_version, observed.model.status.desired_version
    rejected = observed.model.status.rejected
    if before in (None, wanted) or not wanted:
        return rejected
    return tuple(entry for entry in rejected if entry.version != wanted)
