"""Lines while a job runs, and none when it has ended or is abandoned."""

import time

from fastscale.data.progress import Progress


def test_lines_show_progress_and_time_left(lines):
    progress = Progress("writing", 4, lines, unit=" images", mininterval=0.0, delay=0.0)
    for _ in range(4):
        time.sleep(0.01)
        progress.update()
    assert [line.partition(",")[0] for line in lines] == [
        f"writing: {n} of 4 images" for n in (0, 1, 2, 3)
    ]
    assert all(line.endswith("left") for line in lines) and progress.took() == "00:00"


def test_bytes_have_units_and_an_unknown_total_is_not_shown(lines):
    shape = {"unit": "B", "unit_scale": True, "mininterval": 0.0, "delay": 0.0}
    Progress("fetching", 5_000_000, lines, initial=2_000_000, **shape)
    Progress("fetching", None, lines, initial=1, unit=" files")
    assert lines == ["fetching: 2.00M of 5.00MB, ? left"]


def test_a_short_job_says_nothing(lines):
    progress = Progress("writing", 2, lines)
    progress.update()
    progress.close()
    assert lines == []
