// The table of the plot's points, sorted by a click on a heading; and r of each count, for each
// setting.
const ROWS = 100;
let rowsShown = ROWS;
let listed = [];
let columnsShown = [];

const COLUMNS = [
  { key: "network", label: "network" },
  { key: "strategy", label: "strategy", cell: (point) => point.written },
  ...MEASURES.map((measure) => ({
    key: measure.key,
    label: heading(measure),
    number: true,
    cell: (point) => inColumn(point, measure),
  })),
  { key: "n", label: "n", number: true, cell: (point) => (point.ours ? String(point.n) : "") },
  { key: "at", label: "machine and setting", wide: true },
];
// a phone shows the network and the two axes, a tablet all but these; the network's link opens the
// rest
const RARE = ["strategy", "memory", "n", "at"];

function heading(measure) {
  if (measure.key === "flops") return "flops (multiply-adds), B";
  return `${measure.label}, ${measure.counted ? measure.counts_in : measure.unit}`;
}

function inColumn(point, measure) {
  const value = valueOf(point, measure.key);
  if (value == null) return "";
  if (measure.counted) return trimmed(value / (measure.counts_in === "B" ? 1e9 : 1e6), 4);
  return measuredText(measure.key, value, point.spreads[measure.key]);
}

function sortKey(point, key) {
  if (key in MEASURE) return valueOf(point, key);
  if (key === "n") return point.ours ? point.n : null;
  return key === "strategy" ? point.written : point[key];
}

// blanks last in both directions; equal values keep the order of the page
function sorted(points) {
  if (!COLUMNS.some((column) => column.key === view.sort)) return points;
  const sign = view.dir === "desc" ? -1 : 1;
  const collator = new Intl.Collator("en", { numeric: true });
  const keyed = points.map((point) => [sortKey(point, view.sort), point]);
  const empty = (value) => value == null || value === "";
  keyed.sort(([a, p], [b, q]) => {
    if (empty(a) || empty(b)) return empty(a) - empty(b) || p.order - q.order;
    const by = typeof a === "number" ? a - b : collator.compare(a, b);
    return sign * by || p.order - q.order;
  });
  return keyed.map(([, point]) => point);
}

// leaves out columns without any value, and the machine if all points share it
function columnsWithValues(points) {
  const text = (point, column) => (column.cell ? column.cell(point) : point[column.key]);
  const shared = points.every((point) => point.at === points[0].at);
  const informative = (column) =>
    !(column.wide && shared) && points.some((point) => text(point, column));
  return COLUMNS.filter((column) => column.key === view.sort || informative(column));
}

function classOf({ key, number, wide }) {
  const more = !["network", view.x, view.y].includes(key);
  const rare = more && RARE.includes(key);
  const classes = [number && "number", wide && "wide", more && "more", rare && "rare"];
  return classes.filter(Boolean).join(" ");
}

function drawTable(points) {
  listed = sorted(points);
  columnsShown = columnsWithValues(listed);
  const head = element("tr");
  for (const column of columnsShown) {
    const now = view.sort === column.key;
    const next = now && view.dir === "asc" ? "desc" : "asc";
    const arrow = now ? (view.dir === "asc" ? " ▲" : " ▼") : "";
    const onclick = () => sortBy(column.key, next);
    const attributes = { type: "button", "data-sort": column.key, onclick };
    const button = element("button", attributes, column.label);
    button.append(element("span", { "aria-hidden": "true", class: "arrow" }, arrow));
    const direction = now ? (view.dir === "asc" ? "ascending" : "descending") : "none";
    const sort = { scope: "col", "aria-sort": direction, class: classOf(column) };
    head.append(element("th", sort, button));
  }
  const caption = element("caption", { class: "unseen" }, "The points of the plot");
  byId("table").replaceChildren(caption, element("thead", {}, head), element("tbody"));
  fillTable();
}

function sortBy(key, dir) {
  change({ sort: key, dir });
  document.querySelector(`[data-sort="${key}"]`).focus({ preventScroll: true });
}

function fillTable() {
  const base = viewHash({ record: "" });
  const join = base === "#" ? "#" : `${base}&`;
  const body = byId("table").tBodies[0];
  for (const point of listed.slice(body.rows.length, rowsShown)) {
    const row = element("tr", { "data-id": point.id, onpointerenter: () => ringAt(point) });
    for (const column of columnsShown) {
      if (column.key === "network") {
        const href = `${join}record=${encodeURIComponent(point.id)}`;
        const link = element("a", { href }, point.network);
        const shape = symbol(point[view.colour], point.ours);
        row.append(element("th", { scope: "row" }, shape, link));
      } else {
        const text = column.cell ? column.cell(point) : point[column.key];
        row.append(element("td", { class: classOf(column) }, text));
      }
    }
    body.append(row);
  }
  const left = listed.length - body.rows.length;
  byId("more").hidden = left <= 0;
  const [next, all] = [Math.min(left, 500), left].map((count) => count.toLocaleString("en"));
  byId("more").textContent = `Show ${next} more of ${all}`;
}

function ringAt(point) {
  const at = drawn.find((entry) => entry.point === point);
  const ring = byId("ring");
  if (!at || !ring) return;
  ring.setAttribute("cx", at.x);
  ring.setAttribute("cy", at.y);
  ring.setAttribute("visibility", "visible");
}

// r only over points of one machine and setting
function drawSettings(points) {
  const measured = MEASURE[view.y].counted ? view.x : view.y;
  const details = byId("settings");
  details.hidden = MEASURE[measured].counted || !points.length;
  if (details.hidden) return 0;
  const groups = new Map();
  for (const point of points) {
    if (!groups.has(point.at)) groups.set(point.at, []);
    groups.get(point.at).push(point);
  }
  const counts = MEASURES.filter((measure) => measure.counted);
  const label = MEASURE[measured].label;
  const each = groups.size === 1 ? "" : `, for each of ${groups.size} machines and settings`;
  byId("settings-summary").textContent = `Pearson r of ${label} with flops, params and acts${each}`;
  const head = element("tr", {}, element("th", { scope: "col" }, "machine and setting"));
  const column = (text, kind) => head.append(element("th", { scope: "col", class: kind }, text));
  column("n", "number more");
  for (const count of counts) {
    column(`${count.key}: linear`, "number");
    column("log–log", "number more");
  }
  const body = element("tbody");
  for (const [name, group] of groups) {
    const all = counts.map((count) => correlations(group, count.key, measured));
    const href = viewHash({ at: name, record: "" });
    const link = groups.size === 1 ? name : element("a", { href }, name);
    const row = element("tr", {}, element("th", { scope: "row" }, link));
    row.append(element("td", { class: "number more" }, String(all[0].n)));
    for (const kind of ["linear", "log"]) {
      const best = Math.max(...all.map((r) => Math.abs(r[kind] ?? 0)));
      all.forEach((r) => (r[`${kind}Best`] = r[kind] != null && Math.abs(r[kind]) === best));
    }
    for (const r of all) {
      for (const kind of ["linear", "log"]) {
        const text = correlation(r[kind]);
        const cell = element("td", { class: kind === "log" ? "number more" : "number" });
        cell.append(r[`${kind}Best`] ? element("strong", {}, text) : text);
        row.append(cell);
      }
    }
    body.append(row);
  }
  byId("settings-table").replaceChildren(element("thead", {}, head), body);
  return groups.size;
}
