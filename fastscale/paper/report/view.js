// The view is kept in the address after #, so that any view is a link:
// #x=acts&y=epoch_time&family=RegNetY&record=...
// Default: the page's first view. `at` is one machine and setting; without it, all are shown.
const DEFAULTS = {
  x: "acts",
  y: "epoch_time",
  at: "",
  xs: "",
  ys: "",
  colour: "strategy",
  sort: "",
  dir: "asc",
  record: "",
};
const ALWAYS = ["x", "y"];
const COLOURS = { strategy: "Strategy", family: "Family", device: "Device", source: "Source" };
let view = null;

const noFilters = () => Object.fromEntries(FACETS.map((facet) => [facet, new Set()]));

function parseView(hash) {
  const text = hash.replace(/^#/, "") || new URLSearchParams(DATA.views[0][1]).toString();
  const found = { ...DEFAULTS, filters: noFilters() };
  if (!text.includes("=")) return { ...parseView(""), record: decode(text) };
  for (const [name, value] of new URLSearchParams(text)) {
    if (FACETS.includes(name)) found.filters[name].add(value);
    else if (name in DEFAULTS) found[name] = value;
  }
  for (const axis of ["x", "y"]) {
    if (!(found[axis] in MEASURE)) found[axis] = DEFAULTS[axis];
    if (!["log", "linear"].includes(found[axis + "s"])) found[axis + "s"] = "";
  }
  if (!(found.colour in COLOURS)) found.colour = DEFAULTS.colour;
  if (found.at && !DATA.texts.at.includes(found.at)) found.at = "";
  return found;
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function viewHash(changed = {}) {
  const wanted = { ...view, ...changed };
  const pairs = [];
  for (const name of Object.keys(DEFAULTS)) {
    if (name === "record") continue;
    if (wanted[name] !== DEFAULTS[name] || ALWAYS.includes(name)) pairs.push([name, wanted[name]]);
  }
  for (const facet of FACETS) for (const value of wanted.filters[facet]) pairs.push([facet, value]);
  if (wanted.record) pairs.push(["record", wanted.record]);
  return "#" + new URLSearchParams(pairs).toString();
}

const scaleOf = (axis) => view[axis + "s"] || (MEASURE[view[axis]].log ? "log" : "linear");

// applies all filters but `except`; a facet without a choice passes every point
function passes(point, except) {
  if (except !== "at" && view.at && point.at !== view.at) return false;
  const chosen = (facet) => !view.filters[facet].size || view.filters[facet].has(point[facet]);
  return FACETS.every((facet) => facet === except || chosen(facet));
}

function drawable(point) {
  return ["x", "y"].every((axis) => {
    const value = valueOf(point, view[axis]);
    return value != null && (scaleOf(axis) !== "log" || value > 0);
  });
}

const visible = () => POINTS.filter((point) => passes(point) && drawable(point));

// controls change the address in place; links (views, records) add to the history
function change(changed) {
  history.replaceState(null, "", viewHash(changed));
  refresh();
}

function toggle(facet, value) {
  const chosen = new Set(view.filters[facet]);
  if (!chosen.delete(value)) chosen.add(value);
  change({ filters: { ...view.filters, [facet]: chosen } });
}
