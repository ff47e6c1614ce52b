// The scatter plot in SVG, redrawn at every change (it takes milliseconds). Every mark links to its
// record.
let drawn = []; // {point, x, y} in pixels, in the order of x
let current = -1;

function ticksOf(low, high, kind, room) {
  const most = Math.max(2, Math.floor(room));
  if (kind === "log") {
    const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
    const decades = Array.from({ length: last - first + 1 }, (_, i) => first + i);
    let found = [];
    for (const steps of [[1, 1.5, 2, 3, 4, 5, 6, 8], [1, 2, 3, 5], [1, 2, 5], [1, 3], [1]]) {
      found = decades.flatMap((d) => steps.map((step) => Number(`${step}e${d}`)));
      found = found.filter((tick) => tick >= low && tick <= high);
      if (found.length <= most) return found;
    }
    const every = Math.ceil(found.length / most);
    return found.filter((_, i) => i % every === 0);
  }
  const rough = (high - low) / most;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = unit * [1, 2, 5, 10].find((factor) => unit * factor >= rough);
  const found = [];
  for (let i = Math.ceil(low / step); i * step <= high * (1 + 1e-12); i++) {
    found.push(Number((i * step).toPrecision(12)));
  }
  return found;
}

// maps data to pixels between `from` and `to`, with some room at the ends; linear axes start at 0,
// except for errors
function axis(key, kind, values, from, to, room) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (!values.length) [low, high] = [1, 10];
  if (kind === "log") {
    const pad = Math.max(1.08, (high / low) ** 0.04);
    [low, high] = [low / pad, high * pad];
  } else {
    const pad = (high - low || Math.abs(high) || 1) * 0.06;
    low = key === "error" ? Math.max(0, low - pad) : 0;
    high += pad;
  }
  const f = kind === "log" ? Math.log : (value) => value;
  const [a, b] = [f(low), f(high)];
  const at = (value) => from + ((f(value) - a) / (b - a)) * (to - from);
  return { ticks: ticksOf(low, high, kind, room), at, low };
}

// values with the ends of their error bars
function extent(points, key, kind) {
  return points.flatMap((point) => {
    const [value, spread] = [valueOf(point, key), point.spreads[key] || 0];
    return [value - spread, value, value + spread].filter((end) => kind !== "log" || end > 0);
  });
}

function axisTitle(key, kind) {
  const { label, unit } = MEASURE[key];
  return `${label}${unit ? `, ${unit}` : ""}${kind === "log" ? " (log)" : ""}`;
}

function drawPlot(points) {
  const box = byId("plot");
  const width = Math.max(280, box.clientWidth);
  const height = Math.round(Math.min(Math.max(width * 0.6, 320), 560));
  const margin = { left: width < 500 ? 46 : 58, right: 14, top: 26, bottom: 46 };
  const [kx, ky] = [scaleOf("x"), scaleOf("y")];
  const [left, right] = [margin.left, width - margin.right];
  const [top, bottom] = [margin.top, height - margin.bottom];
  const x = axis(view.x, kx, extent(points, view.x, kx), left, right, (right - left) / 70);
  const y = axis(view.y, ky, extent(points, view.y, ky), bottom, top, (bottom - top) / 45);
  const frame = { viewBox: `0 0 ${width} ${height}`, width, height, "aria-hidden": "false" };
  const svg = element("svg:svg", frame);
  const grid = element("svg:g", { class: "grid", "aria-hidden": "true" });
  const line = (x1, x2, y1, y2) => grid.append(element("svg:line", { x1, x2, y1, y2 }));
  const text = (content, x, y, anchor, kind) =>
    grid.append(element("svg:text", { x, y, "text-anchor": anchor, class: kind }, content));
  for (const tick of x.ticks) {
    line(x.at(tick), x.at(tick), top, bottom);
    text(plain(tick), x.at(tick), bottom + 17, "middle");
  }
  for (const tick of y.ticks) {
    line(left, right, y.at(tick), y.at(tick));
    text(plain(tick), left - 7, y.at(tick) + 4, "end");
  }
  text(axisTitle(view.x, kx), (left + right) / 2, height - 8, "middle", "title");
  text(axisTitle(view.y, ky), 4, 14, "start", "title");
  const bars = element("svg:g", { class: "bars", "aria-hidden": "true" });
  const marks = element("svg:g", { class: "marks" });
  const base = viewHash({ record: "" });
  const join = base === "#" ? "#" : `${base}&`;
  drawn = points.map((point) => ({
    point,
    x: x.at(valueOf(point, view.x)),
    y: y.at(valueOf(point, view.y)),
  }));
  const size = points.length > 800 ? 3.75 : width < 500 ? 4 : 5;
  const layer = ({ point }) => (point.ours ? 2 : point.strategy === "base" ? 0 : 1); // ours on top
  for (const at of [...drawn].sort((a, b) => layer(a) - layer(b))) {
    const { point } = at;
    bars.append(...errorBars(at, x, y));
    const link = element("svg:a", {
      href: `${join}record=${encodeURIComponent(point.id)}`,
      tabindex: -1,
      transform: `translate(${at.x.toFixed(1)},${at.y.toFixed(1)})`,
    });
    link.setAttribute("aria-label", describe(point));
    link.append(mark(point[view.colour], point.ours, point.ours ? size * 1.2 : size));
    marks.append(link);
    at.link = link;
  }
  const ring = { id: "ring", r: 10, class: "ring", visibility: "hidden" };
  svg.append(grid, bars, marks, element("svg:circle", ring));
  if (!points.length) {
    text("No point has both values under these filters", width / 2, height / 2, "middle", "empty");
  }
  box.replaceChildren(svg);
  drawn.sort((a, b) => a.x - b.x || a.y - b.y);
  current = -1;
  hideTip();
}

function errorBars(at, x, y) {
  const made = [];
  const clamp = (scale, value) => Math.max(value, scale.low);
  for (const [key, scale, vertical] of [[view.y, y, true], [view.x, x, false]]) {
    const spread = at.point.spreads[key];
    if (spread == null) continue;
    const value = valueOf(at.point, key);
    const [a, b] = [scale.at(clamp(scale, value - spread)), scale.at(value + spread)];
    const ends = vertical
      ? { x1: at.x, x2: at.x, y1: a, y2: b }
      : { x1: a, x2: b, y1: at.y, y2: at.y };
    made.push(element("svg:line", { ...ends, stroke: lookOf(at.point[view.colour]).colour }));
  }
  return made;
}

// one line for screen readers
function describe(point) {
  const cpu = point.cpu ? ", CPU time" : "";
  const value = (key) => written(key, valueOf(point, key), point.spreads[key]);
  const both = [view.x, view.y].map((key) => `${MEASURE[key].label} ${value(key)}`).join(", ");
  return `${point.network}: ${both}${cpu}. ${point.source}, ${point.device || "device not given"}`;
}

function nearest(event) {
  const frame = byId("plot").firstChild.getBoundingClientRect();
  const [px, py] = [event.clientX - frame.left, event.clientY - frame.top];
  let [best, least] = [-1, event.pointerType === "touch" ? 34 ** 2 : 22 ** 2];
  drawn.forEach((at, i) => {
    const far = (at.x - px) ** 2 + (at.y - py) ** 2 - (at.point.ours ? 9 : 0);
    if (far < least) [best, least] = [i, far];
  });
  return best;
}

function select(index, announce) {
  const at = drawn[index];
  if (!at) return hideTip();
  current = index;
  const ring = byId("ring");
  ring.setAttribute("cx", at.x);
  ring.setAttribute("cy", at.y);
  ring.setAttribute("visibility", "visible");
  showTip(at);
  if (announce) byId("announce").textContent = describe(at.point);
}

function showTip(at) {
  const { point } = at;
  const tip = byId("tip");
  const measures = MEASURES.filter((measure) => valueOf(point, measure.key) != null);
  const rows = measures.map(({ key, counted, label }) => {
    const cpu = point.cpu && !counted && key !== "error" ? " (CPU)" : "";
    const name = key === "memory" && point.cpu ? "memory of the process" : label;
    const text = written(key, valueOf(point, key), point.spreads[key]);
    return element("tr", {}, element("th", { scope: "row" }, name + cpu), element("td", {}, text));
  });
  const device = point.device || "device not given";
  const where = [point.mode, device, point.data, point.setting].filter(Boolean).join(", ");
  const runs =
    point.n > 1
      ? `n = ${point.n}: mean ± standard deviation`
      : "n = 1, a single run; ± is the spread of its repeats";
  const lines = [`${point.source}: ${point.ours ? runs : "published"}`, where, point.provenance];
  if (point.cpu) lines.push("Measured on a CPU: no evidence about accelerators.");
  tip.replaceChildren(
    element("strong", {}, point.network),
    element("table", {}, element("tbody", {}, ...rows)),
    ...lines.map((line) => element("p", {}, line)),
  );
  tip.hidden = false;
  const frame = byId("plot").firstChild.getBoundingClientRect();
  const [px, py] = [frame.left + at.x, frame.top + at.y];
  const [width, height] = [tip.offsetWidth, tip.offsetHeight];
  const room = document.documentElement.clientWidth;
  const left = px + 16 + width < room ? px + 16 : Math.max(8, px - width - 16);
  const below = py + 16 + height < window.innerHeight;
  tip.style.left = `${Math.min(left, Math.max(8, room - width - 8)) + window.scrollX}px`;
  tip.style.top = `${(below ? py + 16 : Math.max(8, py - height - 16)) + window.scrollY}px`;
}

function hideTip() {
  byId("tip").hidden = true;
  byId("ring")?.setAttribute("visibility", "hidden");
  current = -1;
}

function plotEvents() {
  const box = byId("plot");
  let touched = -1;
  box.addEventListener("pointermove", (event) => {
    if (event.pointerType !== "touch") select(nearest(event), false);
  });
  box.addEventListener("pointerleave", (event) => {
    if (event.pointerType !== "touch") hideTip();
  });
  box.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const found = nearest(event);
    // the first tap shows the tooltip, the second opens the record
    const first = event.pointerType === "touch" && found !== touched;
    touched = found;
    select(found, first);
    if (found >= 0 && !first) openRecord(drawn[found].point.id);
  });
  box.addEventListener("keydown", (event) => {
    const next = { ArrowRight: 1, ArrowUp: 1, PageDown: 10 };
    const back = { ArrowLeft: -1, ArrowDown: -1, PageUp: -10 };
    const steps = { ...next, ...back };
    const last = drawn.length - 1;
    const moved = Math.min(last, Math.max(0, current < 0 ? 0 : current + steps[event.key]));
    if (event.key in steps && drawn.length) select(moved, true);
    else if (event.key === "Home" && drawn.length) select(0, true);
    else if (event.key === "End" && drawn.length) select(last, true);
    else if (event.key === "Escape") hideTip();
    else if (event.key === "Enter" && drawn[current]) openRecord(drawn[current].point.id);
    else return;
    event.preventDefault();
  });
  box.addEventListener("blur", hideTip);
}
