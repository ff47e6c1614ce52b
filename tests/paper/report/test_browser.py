"""The report in a real browser: points, filters, sorting, hover, keys, records, links, screens."""

import re
from dataclasses import replace
from urllib.parse import urlencode

import pytest

from fastscale.home import home
from fastscale.paper.report import write_report
from fastscale.paper.report.ours import record_points
from fastscale.paper.report.references import PAPER, TIMM, ZOO, references
from fastscale.paper.stats import pearson
from fastscale.records import RecordStore
from fastscale.records.committed import committed

MARKS = "document.querySelectorAll('.marks a').length"
COUNTED = {"flops", "params", "acts"}
H100 = (
    "NVIDIA H100 80GB HBM3, training, median step on dummy data, bf16-mixed, channels_last, "
    "device time (one CUDA graph), batch 64, imagenet, ours"
)
BODY = "document.querySelector('#table').tBodies[0]"


@pytest.fixture(scope="module")
def url():
    """The committed page."""
    return (home().root / "paper_figures" / "report.html").as_uri()


@pytest.fixture(scope="module")
def points():
    """Every point of the page."""
    return record_points(committed()) + [point for found in references() for point in found.points]


def both(points, x, y, **filters):
    """The points that have both values and pass the filters."""
    return [
        p
        for p in points
        if x in p.values
        and y in p.values
        and all(getattr(p, name) in wanted for name, wanted in filters.items())
    ]


def centre(page, index=0):
    """The position of a mark in the window."""
    box = f"document.querySelectorAll('.marks path')[{index}].getBoundingClientRect()"
    page.js("document.getElementById('plot').scrollIntoView()")
    return page.js(f"{box}.x + {box}.width / 2"), page.js(f"{box}.y + {box}.height / 2")


@pytest.mark.parametrize(
    ("x", "y", "filters"),
    [
        ("acts", "time_per_image", {}),
        ("acts", "time_per_image", {"at": [H100]}),
        ("flops", "acts", {}),
        ("params", "error", {}),
        ("flops", "memory", {}),
        ("acts", "epoch_time", {"family": ["RegNetY"]}),
        ("acts", "time_per_image", {"device": ["RTX 4090", "RTX 3090"], "source": [TIMM]}),
        ("flops", "error", {"strategy": ["dWr", "w"], "source": [PAPER]}),
        ("acts", "epoch_time", {"data": ["fashion-mnist"]}),
    ],
)
def test_every_point_with_both_values_is_drawn_with_their_r(page, url, points, x, y, filters):
    pairs = [
        ("x", x),
        ("y", y),
        *((name, value) for name, values in filters.items() for value in values),
    ]
    page.open(f"{url}#{urlencode(pairs)}")
    expected = both(points, x, y, **filters)
    assert page.js(MARKS) == len(expected) > 0
    assert page.js("document.querySelectorAll('.mark.ours').length") >= sum(
        p.ours for p in expected
    )
    xs, ys = ([p.values[name].value for p in expected] for name in (x, y))
    shown = page.js("document.getElementById('r-linear').textContent").replace("−", "-")
    machines = {p.at for p in expected} if {x, y} - COUNTED else {"counted"}
    if len(machines) > 1:  # never over mixed machines
        assert shown.startswith(f"No r over {len(machines)} machines and settings")
        assert page.js("document.querySelector('#settings-table').tBodies[0].rows.length") == len(
            machines
        )
    else:
        r = pearson(xs, ys)
        assert r is not None and float(shown) == pytest.approx(r, abs=6e-4)
    assert {request.split("#")[0] for request in page.requests} - {"about:blank"} == {
        url
    }  # nothing else is fetched


def test_it_opens_on_device_time_over_acts_of_one_accelerator(page, url, points):
    page.open(url)
    expected = both(points, "acts", "time_per_image", at=[H100])
    assert page.js(MARKS) == len(expected) > 100
    assert page.js("document.getElementById('at').textContent") == H100
    assert page.js("document.getElementById('choose-at').value") == H100
    r = pearson(*([p.values[name].value for p in expected] for name in ("acts", "time_per_image")))
    assert page.js("Number(document.getElementById('r-linear').textContent)") == round(r, 3)
    first = "document.querySelector('#views a')"
    assert page.js(f"{first}.getAttribute('aria-current')") == "page"


def test_a_machine_is_chosen_from_the_list_or_from_the_table_of_r(page, url, points):
    page.open(f"{url}#x=acts&y=time_per_image")
    zoo = "1 V100, inference, fp32, imagenet, authors' earlier zoo"
    chosen = f"const s = document.getElementById('choose-at'); s.value = {zoo!r}; "
    page.js(f"{chosen}s.dispatchEvent(new Event('change'))")
    expected = both(points, "acts", "time_per_image", at=[zoo])
    assert page.js(MARKS) == len(expected) == 36
    page.open(f"{url}#x=acts&y=time_per_image")
    page.js(
        "[...document.querySelectorAll('#settings-table a')]"
        f".find(a => a.textContent === {zoo!r}).click()"
    )
    page.wait(f"{MARKS} === 36")
    page.js("history.back()")
    page.wait(f"{MARKS} > 1000")


def test_the_strongest_correlation_is_bold(page, url):
    """Errors fall with flops: of negative ones it is the lowest."""
    page.open(f"{url}#{urlencode({'x': 'flops', 'y': 'error', 'source': PAPER})}")
    bold, linear = (
        page.js(
            f"[...document.querySelectorAll('#settings-table {cells}')].map(c => c.textContent)"
        )
        for cells in ("td strong", "td:not(.more)")
    )
    assert bold[0] == min(linear, key=lambda text: float(text.replace("−", "-")))
    assert bold[0].startswith("−")


def test_a_spread_has_no_more_digits_than_its_value(page, url):
    page.open(url)
    texts = "(key, value, spread) => measuredText(key, value, spread)"
    assert page.js(f"({texts})('epoch_time', 5.17645, 0.00047)") == "5.176"
    assert page.js(f"({texts})('epoch_time', 13.1181, 0.022)") == "13.12 ± 0.02"
    assert page.js(f"({texts})('error', 40.123, 1.27)") == "40.1 ± 1.3"


def test_hollow_is_published_and_filled_is_ours(page, url):
    page.open(f"{url}#x=flops&y=acts")
    assert page.js(
        "[...document.querySelectorAll('.marks path')].every("
        "p => (p.getAttribute('fill') === 'none') !== p.classList.contains('ours'))"
    )


def test_filters_axes_and_colour_change_plot_table_and_address(page, url, points):
    page.open(f"{url}#x=acts&y=epoch_time")
    before = page.js(MARKS)
    page.js("document.querySelector('#facets input[value=\"RegNetZ\"]').click()")
    expected = both(points, "acts", "epoch_time", family=["RegNetZ"])
    assert page.js(MARKS) == len(expected) < before
    assert page.js(f"{BODY}.rows.length") == min(100, len(expected))
    assert page.js("location.hash") == "#x=acts&y=epoch_time&family=RegNetZ"
    page.js(
        "const s = document.getElementById('choose-x'); s.value = 'params'; "
        "s.dispatchEvent(new Event('change'))"
    )
    assert (
        page.js("document.getElementById('plot-heading').textContent")
        == "epoch time against params"
    )
    page.js(
        "document.getElementById('choose-xs').value = 'linear'; "
        "document.getElementById('choose-xs').dispatchEvent(new Event('change'))"
    )
    assert page.js("document.querySelector('.grid').textContent.includes('params (log)')") is False
    page.js("document.getElementById('clear').click()")
    assert page.js(MARKS) == len(both(points, "params", "epoch_time"))
    page.js("history.replaceState(null, '', '#x=acts&family=NoSuch'); refresh()")
    assert page.js(MARKS) == 0 and "No point has both values" in page.js(
        "document.getElementById('plot').textContent"
    )


def test_a_click_on_a_heading_sorts_and_blanks_come_last(page, url, points):
    page.open(f"{url}#{urlencode({'x': 'flops', 'y': 'epoch_time', 'source': PAPER})}")
    expected = both(points, "flops", "epoch_time", source=[PAPER])
    column = (
        "[...document.querySelectorAll('#table thead button')]"
        ".findIndex(b => b.dataset.sort === 'error')"
    )
    cells = f"(i => [...{BODY}.rows].map(row => row.cells[i].textContent))({column})"
    errors = sorted(p.values["error"].value for p in expected if "error" in p.values)
    blanks = [""] * (len(expected) - len(errors))
    for direction, wanted in (("ascending", errors), ("descending", errors[::-1])):
        page.js("document.querySelector('[data-sort=error]').click()")
        assert page.js(cells) == [f"{value:.2f}" for value in wanted] + blanks
        heading = "document.querySelector('[data-sort=error]').parentElement"
        assert page.js(f"{heading}.getAttribute('aria-sort')") == direction
    assert "dir=desc" in page.js("location.hash")
    assert page.js("document.activeElement.dataset.sort") == "error"


def test_a_long_table_grows_on_demand(page, url, points):
    page.open(f"{url}#x=flops&y=acts")
    assert page.js(f"{BODY}.rows.length") == 100
    for _ in range(len(points) // 500 + 1):
        page.js("document.getElementById('more').click()")
    assert page.js(f"{BODY}.rows.length") == len(both(points, "flops", "acts"))
    assert page.js("document.getElementById('more').hidden")


def test_hover_shows_the_network_and_its_provenance(page, url, points):
    page.open(f"{url}#source=ours&x=flops&y=error")
    page.mouse("mouseMoved", *centre(page))
    tip = page.js("document.getElementById('tip').innerText")
    index = page.js("document.querySelector('.marks a').getAttribute('href')").split("record=")[1]
    (point,) = [p for p in points if p.id == index]
    for text in (
        point.network,
        "top-1 error",
        f"n = {point.n}",
        "commit",
        "2026-",
        "CPU",
        point.members[0].removeprefix("record-"),
        "±",
    ):
        assert text in tip
    page.mouse("mouseMoved", 2, 2)
    assert page.js("document.getElementById('tip').hidden")
    page.open(f"{url}#{urlencode({'source': ZOO})}")
    page.mouse("mouseMoved", *centre(page, 5))
    assert "MODEL_ZOO" in page.js("document.getElementById('tip').innerText")


def test_a_click_opens_the_whole_record_and_back_returns(page, url):
    page.open(f"{url}#source=ours")
    x, y = centre(page)
    for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
        page.mouse(kind, x, y)
    page.wait("!document.getElementById('record').hidden")
    (anchor, *_) = page.js("[...document.querySelectorAll('#record article')].map(a => a.id)")
    records = {f"record-{r.id}": r for r in committed()}
    assert page.js(
        f"JSON.stringify(JSON.parse(document.querySelector('#{anchor} pre').textContent))"
    ) == page.js(f"JSON.stringify({records[anchor].to_json()})")
    page.js("history.back()")
    page.wait("document.getElementById('record').hidden")
    page.open(f"{url}#{anchor}")  # an anchor alone is a link as well
    assert page.js(
        f"document.getElementById('{anchor}') !== null && document.activeElement.id === '{anchor}'"
    )


def test_every_mark_and_row_links_to_an_anchor_that_exists(page, url):
    page.open(f"{url}#x=flops&y=acts")
    missing = page.js(
        """[...document.querySelectorAll('.marks a, #table th a')]
        .map(a => new URLSearchParams(a.getAttribute('href').slice(1)).get('record'))
        .filter(id => !BY_ID.get(id)?.members.every(
            m => m in facts().records || Object.values(rowOf(m) || {}).some(Boolean)))"""
    )
    assert missing == []
    page.open(f"{url}#record=pycls_zoo-2")
    assert (
        page.js("JSON.parse(document.querySelector('#pycls_zoo-2 pre').textContent)")
        == references()[1].rows[0]
    )
    page.open(f"{url}#no-such-record")
    assert "no-such-record" in page.js("document.getElementById('record').textContent")


def test_keys_alone_are_enough(page, url):
    page.open(f"{url}#source=ours")
    page.js("document.getElementById('plot').focus()")
    page.press("ArrowRight")
    first = page.js("document.getElementById('announce').textContent")
    page.press("ArrowRight")
    assert (
        "acts" in first
        and "CPU" in first
        and page.js("document.getElementById('announce').textContent") != first
    )
    page.press("Enter")
    page.wait("!document.getElementById('record').hidden")
    assert page.js("document.activeElement.tagName") == "ARTICLE"
    named = (
        "e => (e.labels && e.labels.length) || e.textContent.trim() || "
        "e.getAttribute('aria-label') || e.getAttribute('aria-labelledby')"
    )
    focusable = "document.querySelectorAll('a[href], button, select, input, [tabindex]')"
    assert page.js(f"[...{focusable}].filter(e => !({named})(e)).length") == 0


def test_cpu_times_have_a_caution(page, url):
    page.open(f"{url}#{urlencode([('y', 'time_per_image'), ('source', TIMM)])}")
    assert "256 of these are CPU times" in page.js("document.getElementById('caution').textContent")
    page.open(f"{url}#{urlencode([('y', 'time_per_image'), ('device', 'RTX 4090')])}")
    assert "CPU" not in page.js("document.getElementById('caution').textContent")
    page.open(f"{url}#x=flops&y=error")
    caution = page.js("document.getElementById('caution').textContent")
    found = re.search(r"Errors on (\d+) data sets cannot be compared", caution)
    trained = {r.data for r in committed() if any("error" in name for name in r.values)}
    assert found and int(found[1]) == len(trained | {"imagenet"})
    page.open(f"{url}#x=flops&y=error&data=imagenet")
    assert page.js("document.getElementById('caution').hidden")


def test_every_view_has_points(page, url):
    page.open(url)
    for i in range(page.js("document.querySelectorAll('#views a').length")):
        page.js(f"document.querySelectorAll('#views a')[{i}].click()")
        page.wait(
            f"document.querySelectorAll('#views a')[{i}].getAttribute('aria-current') === 'page'"
        )
        assert page.js(MARKS) >= 3


def test_columns_without_a_value_are_not_shown(page, url):
    shown = "[...document.querySelectorAll('#table thead button')].map(b => b.dataset.sort)"
    page.open(f"{url}#{urlencode([('x', 'flops'), ('y', 'error'), ('source', PAPER)])}")
    columns = page.js(shown)
    assert {"network", "flops", "error", "epoch_time"} <= set(columns) and not {
        "memory",
        "n",
    } & set(columns)
    assert page.js(f"{BODY}.rows[0].cells.length") == len(columns)


@pytest.mark.parametrize(
    "address", ["", "#x=flops&y=error&colour=family", "#x=acts&y=time_per_image"]
)
@pytest.mark.parametrize(
    ("width", "dark"), [(1600, True), (1280, False), (768, False), (390, False), (390, True)]
)
def test_it_fits_the_screen_and_follows_its_colours(page, url, address, width, dark):
    page.open(f"{url}{address}", width=width, height=900, dark=dark)
    assert page.js("document.documentElement.scrollWidth") <= width
    if width < 1600:  # no column is cut off
        for name in ("table", "settings-table"):
            room = f"document.getElementById('{name}').parentElement"
            assert page.js(f"{room}.scrollWidth <= {room}.clientWidth"), name
    assert page.js("document.querySelector('#plot svg').getBoundingClientRect().right") <= width
    brightness = page.js(
        "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
        ".reduce((a, b) => a + b) / 3"
    )
    assert (brightness < 60) == dark
    assert page.js("document.getElementById('filters').open") == (width > 900)


def test_names_that_try_to_break_out_are_only_text(page, checkout_copy, synthetic):
    nasty = "</script><img src=x onerror=document.title='broken'><b>&amp;"
    root = checkout_copy()
    record = replace(synthetic(timed=False)[0], run=nasty, arch=nasty, data=nasty)
    RecordStore(root / "paper_figures" / "records" / "bad.jsonl").append(record)
    page.open(write_report().as_uri() + f"#source=ours&record=record-{record.id}")
    assert page.js(MARKS) == 1 and "broken" not in page.js("document.title")
    assert page.js("document.querySelector('#table th a').textContent") == nasty
    assert (
        page.js(f"JSON.parse(document.querySelector('#record-{record.id} pre').textContent).run")
        == nasty
    )
    assert page.js("document.querySelectorAll('img, b').length") == 0
