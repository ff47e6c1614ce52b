// Controls, readout and records; refresh() draws everything from the address.
const SCALES = { log: "log", linear: "linear" };

function chooser(id, label, options, now, choose) {
  const select = element("select", { id, onchange: (event) => choose(event.target.value) });
  for (const [value, text] of options) {
    select.append(element("option", { value, selected: value === now }, text));
  }
  return element("label", { for: id }, element("span", {}, label), select);
}

function drawControls() {
  const focused = document.activeElement?.id;
  const measures = MEASURES.map((measure) => [measure.key, measure.label]);
  const scales = Object.entries(SCALES);
  byId("where").replaceChildren(drawMachines());
  const swapped = { x: view.y, y: view.x, xs: view.ys, ys: view.xs };
  const swap = { type: "button", id: "swap", title: "Swap the axes" };
  byId("axes").replaceChildren(
    chooser("choose-y", "Vertical", measures, view.y, (y) => change({ y, ys: "" })),
    chooser("choose-ys", "scale", scales, scaleOf("y"), (ys) => change({ ys })),
    chooser("choose-x", "Horizontal", measures, view.x, (x) => change({ x, xs: "" })),
    chooser("choose-xs", "scale", scales, scaleOf("x"), (xs) => change({ xs })),
    chooser("choose-colour", "Colour and marker", Object.entries(COLOURS), view.colour, (colour) =>
      change({ colour }),
    ),
    element("button", { ...swap, onclick: () => change(swapped) }, "Swap"),
  );
  if (focused) byId(focused)?.focus();
}

// chooses one machine and setting of those with both values under the other filters, largest first
function drawMachines() {
  const counts = tally(POINTS.filter((point) => drawable(point) && passes(point, "at")), "at");
  if (view.at && !counts.has(view.at)) counts.set(view.at, 0);
  const found = [...counts].sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0]));
  const options = [["", `All ${found.length} (r of each below)`]];
  for (const [at, count] of found) options.push([at, `${at} (${count})`]);
  return chooser("choose-at", "Machine and setting", options, view.at, (at) => change({ at }));
}

// each option with its number of points under the other filters; a facet without a choice is not
// shown
function drawFacets() {
  const focused = document.activeElement?.id;
  const sets = FACETS.flatMap((facet) => {
    const counts = tally(POINTS.filter((p) => drawable(p) && passes(p, facet)), facet);
    if (counts.size < 2 && !view.filters[facet].size) return [];
    const set = element("fieldset", {}, element("legend", {}, FACET_LABELS[facet]));
    DATA.texts[facet].forEach((value, i) => {
      const id = `${facet}-${i}`;
      const count = counts.get(value) || 0;
      if (!count && !view.filters[facet].has(value)) return;
      const checked = view.filters[facet].has(value);
      const onchange = () => toggle(facet, value);
      const label = element("label", { for: id, class: count ? "" : "none" });
      label.append(
        element("input", { type: "checkbox", id, value, checked, onchange }),
        element("span", {}, value || "not given"),
        element("span", { class: "count" }, String(count)),
      );
      set.append(label);
    });
    return [set];
  });
  byId("facets").replaceChildren(...sets);
  const chosen = FACETS.reduce((sum, facet) => sum + view.filters[facet].size, 0);
  byId("filter-count").textContent = chosen ? `(${chosen} chosen)` : "(none chosen: all shown)";
  byId("clear").hidden = !chosen;
  if (focused) byId(focused)?.focus();
}

function drawViews() {
  byId("views").replaceChildren(
    ...DATA.views.map(([label, pairs]) => {
      const hash = "#" + new URLSearchParams(pairs).toString();
      const wanted = parseView(hash);
      const same = viewHash({ record: "", sort: "", dir: "asc" }) === viewHash({ ...wanted });
      const link = element("a", { href: hash, "aria-current": same ? "page" : false }, label);
      return element("li", {}, link);
    }),
  );
}

function drawLegend(points) {
  const named = (value) => (value === "base" ? "base, not scaled" : value || "not given");
  const entries = DATA.texts[view.colour].flatMap((value) => {
    const own = points.filter((point) => point[view.colour] === value);
    if (!own.length) return [];
    const ours = own.every((point) => point.ours);
    const { words } = lookOf(value);
    const pressed = String(view.filters[view.colour].has(value));
    const onclick = () => toggle(view.colour, value);
    const text = `${named(value)}${words ? `: ${words}` : ""} (${own.length})`;
    const attributes = { type: "button", "aria-pressed": pressed, onclick };
    return [element("li", {}, element("button", attributes, symbol(value, ours), text))];
  });
  byId("legend").replaceChildren(...entries);
}

function drawReadout(points) {
  const [x, y] = [MEASURE[view.x], MEASURE[view.y]];
  byId("plot-heading").textContent = `${y.label} against ${x.label}`;
  byId("at").textContent = view.at;
  const matching = POINTS.filter((point) => passes(point)).length - points.length;
  const lacking = matching
    ? ` ${matching.toLocaleString("en")} more pass the filters but lack one of the two values.`
    : "";
  const machines = drawSettings(points);
  const s = points.length === 1 ? "" : "s";
  const shown = element("span", { id: "shown" }, `${points.length.toLocaleString("en")} point${s}`);
  byId("readout").replaceChildren(shown, ". ", ...readR(points, machines), lacking);
  const notes = [];
  const cpus = points.filter((point) => point.cpu).length;
  const timed = [x, y].some((measure) => !measure.counted && measure.key !== "error");
  const which = cpus === points.length ? "All of these" : `${cpus} of these`;
  if (timed && cpus) notes.push(`${which} are CPU times, which say nothing about accelerators.`);
  const sets = new Set(points.map((point) => point.data)).size;
  if ([x, y].some((measure) => measure.key === "error") && sets > 1) {
    notes.push(`Errors on ${sets} data sets cannot be compared: choose one.`);
  }
  byId("caution").textContent = notes.join(" ");
  byId("caution").hidden = !notes.length;
}

// no r over several machines or settings: the table below has one for each
function readR(points, machines) {
  if (machines > 1) {
    const many = `${machines} machines and settings`;
    const why = `No r over ${many}: choose one, or read that of each below.`;
    return [element("span", { id: "r-linear" }, why)];
  }
  const r = correlations(points, view.x, view.y);
  const strong = (id, value) => element("strong", { id }, correlation(value));
  const log = element("span", { class: "nowrap" }, strong("r-log", r.log), " log–log.");
  return ["Pearson r: ", strong("r-linear", r.linear), " linear, ", log];
}

function openRecord(id) {
  const hash = viewHash({ record: id });
  if (location.hash === hash) showRecord(true);
  else location.hash = hash;
}

function rowOf(anchor) {
  const at = anchor.lastIndexOf("-");
  const columns = facts().references[anchor.slice(0, at)];
  const line = Number(anchor.slice(at + 1));
  if (!columns) return null;
  const text = ({ texts, rows }) => (rows ? texts[rows[line - 2]] : texts[line - 2]);
  return Object.fromEntries(Object.entries(columns).map(([name, column]) => [name, text(column)]));
}

function article(anchor) {
  const file = anchor.slice(0, anchor.lastIndexOf("-"));
  const record = facts().records[anchor];
  const content = record || rowOf(anchor);
  const title = record
    ? `Record ${anchor.replace("record-", "")}`
    : `paper_figures/reference/${file}.csv, line ${anchor.slice(file.length + 1)}`;
  const text = element("pre", { tabindex: 0 }, JSON.stringify(content, null, 2));
  return element("article", { id: anchor, tabindex: -1 }, element("h3", {}, title), text);
}

function closeRecord() {
  change({ record: "" });
  byId("plot").focus();
}

// all records behind a point, each under its anchor
function showRecord(scroll) {
  const section = byId("record");
  const point = BY_ID.get(view.record);
  section.hidden = !view.record;
  if (!view.record) return section.replaceChildren();
  const attributes = { type: "button", class: "close", onclick: closeRecord };
  const close = element("button", attributes, "Close");
  const headed = (text, ...children) =>
    section.replaceChildren(element("h2", { id: "record-heading" }, text), close, ...children);
  if (!point) {
    headed("No such record", element("p", {}, `Nothing here is called ${view.record}.`));
    return;
  }
  const where = [point.mode, point.device, point.data, point.setting].filter(Boolean).join(", ");
  const intro = `${point.source}; ${where}. ${point.provenance}.`;
  const runs = point.n > 1 ? `n = ${point.n}; the plot shows the mean.` : "";
  headed(point.network, element("p", {}, intro, " ", runs), ...point.members.map(article));
  if (!scroll) return;
  const wanted = byId(view.record) || section.querySelector("article");
  section.scrollIntoView({ block: "start" });
  wanted.focus({ preventScroll: wanted === section.querySelector("article") });
}

function refresh(scroll = false) {
  const before = view && JSON.stringify([viewHash({ record: "" })]);
  view = parseView(location.hash);
  const points = visible();
  if (before !== JSON.stringify([viewHash({ record: "" })])) {
    rowsShown = ROWS;
    drawControls();
    drawFacets();
    drawViews();
    drawLegend(points);
    drawReadout(points);
    drawPlot(points);
    drawTable(points);
  }
  showRecord(scroll);
  document.documentElement.dataset.ready = "yes";
}

function start() {
  plotEvents();
  byId("controls").addEventListener("submit", (event) => event.preventDefault());
  byId("clear").addEventListener("click", () => change({ filters: noFilters() }));
  byId("more").addEventListener("click", () => {
    rowsShown += 500;
    fillTable();
  });
  byId("table").addEventListener("pointerleave", hideTip);
  window.addEventListener("hashchange", () => refresh(true));
  if (window.innerWidth < 900) byId("filters").open = false;
  refresh(true);
  let width = byId("plot").clientWidth;
  new ResizeObserver(() => {
    if (byId("plot").clientWidth === width) return;
    width = byId("plot").clientWidth;
    drawPlot(visible());
  }).observe(byId("plot"));
}

start();
