"""The data sets: values, text labels, errors, and both kinds of installation."""

import csv
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from glmbayes import datasets
from glmbayes.errors import InputError

ROOT = Path(__file__).resolve().parents[1]

# name: (rows, a column of numbers, its sum), from the publications that data/README.md names (bike_hours is simulated)
SUMS = {
    "bike_hours": (504, "count", 31578),
    "cbpp": (56, "incidence", 99),
    "dyestuff": (30, "Yield", 45825),
    "eight_schools": (8, "estimate", 70.56),
    "homework_summary": (8, "n", 165),
    "menarche": (25, "Menarche", 2308),
    "mtcars": (32, "mpg", 642.9),
    "oats": (72, "yield", 7486),
    "orthodont": (108, "distance", 2594.5),
    "penicillin": (144, "diameter", 3308),
    "plant_weight": (20, "weight", 96.93),
    "rail": (18, "travel", 1197),
    "sleepstudy": (180, "Reaction", 53731.4205),
}


def test_every_file_is_listed_documented_and_checked():
    files = sorted(path.stem for path in (ROOT / "data").glob("*.csv"))
    readme = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    assert datasets.names() == files == sorted(SUMS)
    for name in files:
        assert f"`{name}.csv`" in readme


@pytest.mark.parametrize("name", SUMS)
def test_load_reads_the_whole_file(name):
    rows, column, total = SUMS[name]
    data = datasets.load(name)
    with (ROOT / "data" / f"{name}.csv").open(newline="") as file:
        header = next(csv.reader(file))
    assert list(data.columns) == header
    assert len(data) == rows
    assert data[column].sum() == pytest.approx(total, rel=1e-12)
    assert not data.isna().any(axis=None)


def test_the_simulated_data_are_what_their_script_writes(tmp_path):
    script = runpy.run_path(str(ROOT / "data" / "make_bike_hours.py"))
    script["main"](tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_text() == (ROOT / "data" / "bike_hours.csv").read_text()


def test_eight_schools_has_both_published_versions():
    schools = datasets.load("eight_schools")
    assert list(schools["school"]) == list("ABCDEFGH")
    assert list(schools["estimate"]) == [28.39, 7.94, -2.75, 6.82, -0.64, 0.63, 18.01, 12.16]
    assert list(schools["sd"]) == [14.9, 10.2, 16.3, 11.0, 9.4, 11.4, 10.4, 17.6]
    assert list(schools["estimate_rounded"]) == list(np.round(schools["estimate"]))
    assert list(schools["sd_rounded"]) == [15, 10, 16, 11, 9, 11, 10, 18]


def test_plant_weight_groups():
    plants = datasets.load("plant_weight")
    means = plants.groupby("group")["weight"].mean()
    assert means["Ctl"] == pytest.approx(5.032)
    assert means["Trt"] == pytest.approx(4.661)


@pytest.mark.parametrize(
    ("name", "column"),
    [("cbpp", "herd"), ("cbpp", "period"), ("homework_summary", "school"), ("rail", "Rail"), ("sleepstudy", "Subject")],
)
def test_numerals_that_name_groups_are_text(name, column):
    assert all(isinstance(label, str) for label in datasets.load(name)[column])


def test_each_call_reads_anew():
    first = datasets.load("rail")
    first["travel"] = 0
    assert datasets.load("rail")["travel"].sum() == SUMS["rail"][2]


def test_unknown_name():
    with pytest.raises(InputError, match=r"got 'eightschools'; did you mean 'eight_schools'\?"):
        datasets.load("eightschools")
    with pytest.raises(InputError, match="got None; there are: bike_hours, cbpp, dyestuff"):
        datasets.load(None)


@pytest.mark.parametrize("kind", ["wheel", "editable"])
def test_found_after_installation(kind, tmp_path):
    pip = [sys.executable, "-m", "pip", "--quiet"]
    offline = ["--no-deps", "--no-build-isolation"]
    site = tmp_path / "site"
    if kind == "wheel":
        subprocess.run([*pip, "wheel", *offline, "-w", str(tmp_path), str(ROOT)], check=True)
        (package,) = map(str, tmp_path.glob("*.whl"))
        subprocess.run([*pip, "install", *offline, "--no-index", "--target", str(site), package], check=True)
        home = site
    else:
        subprocess.run([*pip, "install", *offline, "--no-index", "--target", str(site), "-e", str(ROOT)], check=True)
        home = ROOT
    # addsitedir reads the .pth file of an editable install; the insertion puts it before any other installation
    program = (
        "import site, sys; before = len(sys.path); site.addsitedir(sys.argv[1])\n"
        "sys.path[:0] = sys.path[before:]\n"
        "from glmbayes import datasets\n"
        "print(datasets.__file__); print(*datasets.names()); print(len(datasets.load('eight_schools')))"
    )
    ran = subprocess.run(
        [sys.executable, "-I", "-c", program, str(site)], check=True, cwd=tmp_path, capture_output=True, text=True
    )
    file, names, rows = ran.stdout.splitlines()
    assert Path(file).is_relative_to(home)
    assert names.split() == sorted(SUMS)
    assert rows == "8"
