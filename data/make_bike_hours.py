"""Writes bike_hours.csv: bicycles hired in every hour of three weeks, simulated from known coefficients.

Counts are Poisson with a log-normal effect of their own: log rate = x'BETA + N(0, SD^2).  `bike_poisson_gibbs.py` among
the examples estimates BETA and SD.
"""

from pathlib import Path

import numpy as np

BETA = {
    "(Intercept)": 3.6,
    "working": 0.3,
    "warmth": 0.4,  # per 10 degrees above 15
    "rain": -0.7,
    "sin24": -0.6,
    "cos24": -0.9,
    "sin12": -0.25,
    "cos12": -0.5,
}
SD = 0.35


def design(working, temperature, rain, hour):
    """The columns that BETA multiplies."""
    day = 2.0 * np.pi * np.asarray(hour) / 24.0
    waves = (np.sin(day), np.cos(day), np.sin(2.0 * day), np.cos(2.0 * day))
    return np.column_stack([np.ones(day.size), working, (np.asarray(temperature) - 15.0) / 10.0, rain, *waves])


def main(path, seed=2026):
    rng = np.random.default_rng(seed)
    day, hour = np.divmod(np.arange(21 * 24), 24)
    working = (day % 7 < 5).astype(int)
    weather = np.repeat(rng.normal(0.0, 3.0, 21), 24) + rng.normal(0.0, 0.7, day.size)
    temperature = np.round(14.0 + 0.1 * day - 5.0 * np.cos(2.0 * np.pi * (hour - 3) / 24.0) + weather, 1)
    wet = np.repeat(rng.random(21) < 0.4, 24)
    rain = (wet & (rng.random(day.size) < 0.5)).astype(int)
    x = design(working, temperature, rain, hour)
    count = rng.poisson(np.exp(x @ np.array(list(BETA.values())) + SD * rng.standard_normal(day.size)))
    lines = ["day,hour,working,temperature,rain,count"]
    lines += [",".join(map(str, row)) for row in zip(day + 1, hour, working, temperature, rain, count)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(__file__).with_name("bike_hours.csv"))
