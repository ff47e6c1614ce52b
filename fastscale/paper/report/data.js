// Unpacks the page's data, makes elements and formats numbers. Text becomes only text nodes and
// attributes.
const DATA = JSON.parse(document.getElementById("data").textContent);
// records and rows of references, parsed when the first is opened
let factsRead = null;
const facts = () => (factsRead ||= JSON.parse(document.getElementById("facts").textContent));
const MEASURES = DATA.measures;
const MEASURE = Object.fromEntries(
  MEASURES.map((measure, index) => [measure.key, { ...measure, index }]),
);
const FACETS = ["source", "family", "strategy", "device", "mode", "data"];
const FACET_LABELS = {
  source: "Source",
  family: "Family",
  strategy: "Strategy",
  device: "Device",
  mode: "Mode",
  data: "Data set",
};

const POINTS = DATA.points.map((row, order) => {
  const point = { order };
  DATA.columns.forEach((name, i) => {
    point[name] = name in DATA.texts ? DATA.texts[name][row[i]] : row[i];
  });
  return point;
});
const BY_ID = new Map();
for (const point of POINTS) {
  for (const id of [...point.members, point.id]) {
    if (!BY_ID.has(id) || id === point.id) BY_ID.set(id, point);
  }
}

const valueOf = (point, key) => point.values[MEASURE[key].index];

function element(name, attributes = {}, ...children) {
  const made = name.startsWith("svg:")
    ? document.createElementNS("http://www.w3.org/2000/svg", name.slice(4))
    : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === false || value == null) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child != null));
  return made;
}

const byId = (id) => document.getElementById(id);

// 1234567 -> 1.23 M: at least three digits, never an exponent
function plain(value, digits = 3) {
  if (value == null) return "";
  const size = Math.abs(value);
  for (const [unit, letter] of [[1e12, " T"], [1e9, " B"], [1e6, " M"], [1e3, " K"]]) {
    if (size >= unit) return trimmed(value / unit, digits) + letter;
  }
  return trimmed(value, digits);
}

function trimmed(value, digits) {
  if (value === 0) return "0";
  const decimals = Math.max(0, Math.min(6, digits - 1 - Math.floor(Math.log10(Math.abs(value)))));
  const text = value.toFixed(decimals);
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

// a value with its unit, for the tooltip
function written(key, value, spread) {
  if (value == null) return "";
  const measure = MEASURE[key];
  if (measure.counted) return plain(value, 4);
  return `${measuredText(key, value, spread)} ${measure.unit}`;
}

// value and spread to the second digit of the spread, at most four digits of the value; a smaller
// spread is left out
function measuredText(key, value, spread) {
  if (!spread) return key === "error" ? value.toFixed(2) : trimmed(value, 4);
  const digits = key === "error" ? 2 : 3 - Math.floor(Math.log10(Math.abs(value)));
  const decimals = Math.max(0, Math.min(6, digits, 1 - Math.floor(Math.log10(spread))));
  const around = spread.toFixed(decimals);
  return Number(around) ? `${value.toFixed(decimals)} ± ${around}` : value.toFixed(decimals);
}

function pearson(xs, ys) {
  const n = xs.length;
  if (n < 3) return null;
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / n;
  const [mx, my] = [mean(xs), mean(ys)];
  let [xy, xx, yy] = [0, 0, 0];
  for (let i = 0; i < n; i++) {
    const [dx, dy] = [xs[i] - mx, ys[i] - my];
    xy += dx * dy;
    xx += dx * dx;
    yy += dy * dy;
  }
  return xx > 0 && yy > 0 ? xy / Math.sqrt(xx * yy) : null;
}

// r of two measures over points that have both, linear and of the logarithms
function correlations(points, x, y) {
  const pairs = points
    .map((point) => [valueOf(point, x), valueOf(point, y)])
    .filter(([a, b]) => a != null && b != null);
  const positive = pairs.filter(([a, b]) => a > 0 && b > 0);
  const r = (rows, f) => pearson(...[0, 1].map((axis) => rows.map((row) => f(row[axis]))));
  return { n: pairs.length, linear: r(pairs, Number), log: r(positive, Math.log) };
}

// .987, as in papers
const correlation = (r) =>
  r == null ? "–" : r.toFixed(3).replace("-", "−").replace(/^(−?)0\./, "$1.");

// how many of the points have each value of `name`
function tally(points, name) {
  const counts = new Map();
  for (const point of points) counts.set(point[name], (counts.get(point[name]) || 0) + 1);
  return counts;
}
