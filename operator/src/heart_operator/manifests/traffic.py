"""How Service, HTTPRoute and mirror split the traffic between versions."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Traffic:
    """What Service, HTTPRoute and mirror do once the plan is carried out."""

    candidate: str = ""
    """Version behind the candidate's own Service; empty: there is none."""
    spread: bool = False
    """The model's Service selects the pods of every version."""
    weight: int = 0
    """Percentage that the HTTPRoute sends to the candidate."""
    mirror_percent: int = 0
    experiment_since: str = ""
    """When the experiment with the candidate began, whose pods then answer those of their users that the serving pods
    hand on; empty: there is none."""
    closed: str = ""
    """Version whose pods take requests from the Gateway and the mirror alone; empty: there is none."""
