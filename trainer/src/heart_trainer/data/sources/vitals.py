"""A synthetic cohort of daily vitals and air readings: nobody's data, from a seeded risk model.

For examples/health-risk: sites whose patients differ. Ranges resemble what wearables and air monitors report; the
coefficients are chosen so that a good model reaches an AUC of about .82. It says nothing about real patients.
"""

import numpy as np
import pandas as pd

COLUMNS = (
    "heart_rate",
    "steps",
    "sleep_hours",
    "respiratory_rate",
    "body_temp",
    "pm25",
    "pm10",
    "o3",
    "no2",
    "temperature",
    "humidity",
)
DRIFTING = ("heart_rate", "respiratory_rate", "pm25", "pm10", "o3", "no2", "temperature")
"""What `shift` moves: a hot week with bad air."""
TARGET = "deterioration"


def vitals_cohort(
    rows: int = 600, seed: int = 42, sick: float = 0.0, shift: float = 0.0, without: tuple[str, ...] = ()
) -> pd.DataFrame:
    """`rows` days with `deterioration` (0 or 1) in the month after.

    `sick`: how much worse the patients are, in standard deviations; `shift`: the same of heat and air; `without`:
    sensors that the site does not have, whose cells stay empty.
    """
    rng = np.random.default_rng(seed)
    frailty = rng.normal(sick, 1, rows)
    smog = rng.gamma(2, 0.5, rows) + 0.8 * shift
    pm25 = np.clip(4 + 10 * smog + rng.normal(0, 3, rows), 0, 400)
    temperature = np.clip(rng.normal(64 + 12 * shift, 14, rows), -20, 120)
    frame = pd.DataFrame(
        {
            "heart_rate": np.clip(rng.normal(74 + 5 * frailty + 6 * shift, 9, rows), 35, 200).round(),
            "steps": np.clip(rng.normal(7400 - 1500 * frailty, 2300, rows), 0, 60_000).round(),
            "sleep_hours": np.clip(rng.normal(7.1 - 0.35 * frailty, 1, rows), 0, 16).round(1),
            "respiratory_rate": np.clip(rng.normal(16 + frailty + 1.2 * shift, 1.8, rows), 6, 45).round(),
            "body_temp": np.clip(rng.normal(98.4 + 0.15 * frailty, 0.5, rows), 94, 106).round(1),
            "pm25": pm25.round(1),
            "pm10": np.clip(1.6 * pm25 + rng.normal(0, 5, rows), 0, 600).round(1),
            "o3": np.clip(0.02 + 0.018 * smog + rng.normal(0, 0.008, rows), 0, 0.4).round(3),
            "no2": np.clip(0.008 + 0.01 * smog + rng.normal(0, 0.005, rows), 0, 0.4).round(3),
            "temperature": temperature.round(1),
            "humidity": np.clip(rng.normal(55, 16, rows), 3, 100).round(),
        }
    )
    frame[TARGET] = (rng.random(rows) < risk(frame)).astype(int)
    frame.loc[:, list(without)] = np.nan
    return frame


def risk(frame: pd.DataFrame) -> pd.Series:
    """The probability of a deterioration."""
    log_odds = (
        -1.4
        + 0.07 * (frame["heart_rate"] - 74)
        - 0.00025 * (frame["steps"] - 7400)
        - 0.35 * (frame["sleep_hours"] - 7.1)
        + 0.22 * (frame["respiratory_rate"] - 16)
        + 0.5 * (frame["body_temp"] - 98.4)
        + 0.04 * (frame["pm25"] - 14)
        + 18 * (frame["o3"] - 0.038)
        + 0.015 * (frame["temperature"] - 64)
    )
    found: pd.Series = 1 / (1 + np.exp(-log_odds))
    return found
