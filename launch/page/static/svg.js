"use strict";
// What every chart is drawn with: SVG nodes, ticks, lines, numbers as text.

const byId = (id) => document.getElementById(id);

function node(name, attributes = {}, parent = null, text = null) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== null) made.textContent = text;
  if (parent) parent.append(made);
  return made;
}

// Four significant digits, without the zeros at the end.
function tidy(value) {
  if (!Number.isFinite(value)) return "–";
  return Math.abs(value) >= 1e-4 && Math.abs(value) < 1e6 || value === 0
    ? String(Number(value.toPrecision(4))) : value.toExponential(2);
}

function ticks(low, high, count) {
  const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough * 0.999);
  const found = [];
  for (let tick = Math.ceil(low / step - 1e-9) * step; tick <= high + step * 1e-9; tick += step) found.push(tick);
  return found.map((tick) => Number(tick.toPrecision(10)));
}

const closest = (spots, away) => spots.reduce((a, b) => (away(b) < away(a) ? b : a));

function whenResized(holder, draw) {
  let width = 0;
  new ResizeObserver(() => {
    if (holder.clientWidth !== width) { width = holder.clientWidth; if (width) draw(width); }
  }).observe(holder);
}

function path(points, px, py, stepped = false) {
  let text = "", pen = "M";
  for (const [x, y] of points) {
    if (y === null || y === undefined) { pen = "M"; continue; }
    text += stepped && pen === "L" ? `V${py(y).toFixed(1)}H${px(x).toFixed(1)}` : `${pen}${px(x).toFixed(1)} ${py(y).toFixed(1)}`;
    pen = "L";
  }
  return text;
}
