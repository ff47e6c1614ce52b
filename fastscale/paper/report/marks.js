// Marks: colours and markers come with the data (look.py); the shapes are matplotlib's, of about
// radius 1.
const SHAPES = {
  o: "M1,0A1,1 0 1 1 -1,0A1,1 0 1 1 1,0Z",
  s: "M-.89,-.89H.89V.89H-.89Z",
  D: "M0,-1.2L1.2,0L0,1.2L-1.2,0Z",
  d: "M0,-1.3L.8,0L0,1.3L-.8,0Z",
  "^": "M0,-1.1L1.1,.9H-1.1Z",
  v: "M0,1.1L1.1,-.9H-1.1Z",
  "<": "M-1.1,0L.9,-1.1V1.1Z",
  ">": "M1.1,0L-.9,-1.1V1.1Z",
  P: "M-.4,-1.1H.4V-.4H1.1V.4H.4V1.1H-.4V.4H-1.1V-.4H-.4Z",
  X: "M-1.06,-.5l.56-.56l.5,.5l.5-.5l.56,.56l-.5,.5l.5,.5l-.56,.56l-.5-.5l-.5,.5l-.56-.56l.5-.5Z",
  "*": "M0,-1.5L.36,-.5L1.43,-.46L.58,.19L.88,1.21L0,.62L-.88,1.21L-.58,.19L-1.43,-.46L-.36,-.5Z",
  h: "M0,-1.1L.95,-.55V.55L0,1.1L-.95,.55V-.55Z",
  H: "M1.1,0L.55,.95H-.55L-1.1,0L-.55,-.95H.55Z",
  8: "M1.05,.43L.43,1.05H-.43L-1.05,.43V-.43L-.43,-1.05H.43L1.05,-.43Z",
  p: "M0,-1.1L1.05,-.34L.65,.89H-.65L-1.05,-.34Z",
};

function lookOf(value, colouring = view.colour) {
  const look = DATA.looks[colouring][DATA.texts[colouring].indexOf(value)];
  return { colour: ink(look.colour), shape: SHAPES[look.marker] || SHAPES.o, words: look.words };
}

// black is the text colour, white on a dark page; other dark colours have lighter twins there
// (style.css)
const TWINS = { "#000000": "currentColor", "#332288": "var(--indigo)", "#882255": "var(--wine)" };
const ink = (colour) => TWINS[colour.toLowerCase()] || colour;

function mark(value, filled, size, colouring = view.colour) {
  const { colour, shape } = lookOf(value, colouring);
  return element("svg:path", {
    d: shape,
    class: filled ? "mark ours" : "mark",
    transform: `scale(${size})`,
    fill: filled ? colour : "none",
    stroke: filled ? "var(--page)" : colour,
  });
}

// a mark beside a text, in the legend and in the table
function symbol(value, filled) {
  const attributes = { class: "symbol", viewBox: "-8 -8 16 16", "aria-hidden": "true" };
  return element("svg:svg", attributes, mark(value, filled, 5));
}
