// A figure against an axis of a sweep: mean and spread over seeds, every seed, and the paper's values, as SVG.
// A numeric axis runs across; the values of another stand below each other, where long names have room.
// After it what was logged while the settings trained, in the same colours.
// Uses svg.js, and sweep and make of sweep.js.

const MARGIN = { left: 52, right: 20, top: 14, bottom: 42 };

// As shown() in sweep_page.py, so that a value reads the same in tables and charts.
function shown(value, figure) {
  if (!Number.isFinite(value)) return "–";
  if (figure.whole) return value.toFixed(Number.isInteger(value) ? 0 : 1);
  const size = Math.abs(value), digits = size < (figure.unit ? 1 : 10) ? 3 : size < 10 ? 2 : size < 100 ? 1 : 0;
  const text = size === 0 || (size >= 0.001 && size < 1e6) ? value.toFixed(digits) : tidy(size < 1 ? Number(value.toPrecision(1)) : value);
  return figure.unit ? `${text} ${figure.unit}` : text;
}

// As label() in comparison.py: runs and detectors go by their names.
const named = (at, axes) => axes.map((axis) => `${["run", "detector"].includes(axis.name) ? "" : `${axis.name} `}${at[axis.name] ?? "–"}`).join(", ");
const same = (a, b) => Object.keys(b).every((name) => a[name] === b[name]);

// One series for each setting of the other axes; its points follow the values of this one.
function seriesOf(axis, figure) {
  const others = sweep.axes.filter((other) => other !== axis), series = new Map();
  for (const cell of sweep.cells) {
    const label = named(cell.at, others), index = axis.values.indexOf(cell.at[axis.name]), key = figure.key;
    if (!series.has(label)) series.set(label, { label, at: cell.at, points: [] });
    const seeds = sweep.rows.filter((row) => row.status === "finished" && same(row.at, cell.at)).map((row) => row.figures[key]);
    series.get(label).points.push({
      index, number: axis.numbers?.[index] ?? null, value: axis.values[index], finished: cell.finished,
      mean: cell.mean[key] ?? null, std: cell.std[key] ?? null, paper: cell.paper[key] ?? null,
      seeds: seeds.filter(Number.isFinite),
    });
  }
  const found = [...series.values()];
  found.forEach((one, index) => {
    one.points.sort((a, b) => (axis.numbers ? a.number - b.number : a.index - b.index));
    one.colour = colourOf(one.at, index, found.length, others);
  });
  return found;
}

// Up to eight series have colours of their own. More have the colour of one axis, paler with each setting of the rest;
// where that axis has too many values itself, they go from one colour to another in order.
function colourOf(at, index, count, others) {
  if (count <= 8) return `var(--series-${index})`;
  const hue = others.filter((axis) => axis.values.length <= 8).sort((a, b) => b.values.length - a.values.length)[0];
  // By way of violet and pink: straight through the middle of the colours lies grey.
  if (!hue) return `color-mix(in oklch, var(--series-1) ${(index / (count - 1) * 100).toFixed(0)}%, var(--series-0))`;
  const rest = others.filter((axis) => axis !== hue), shades = rest.reduce((all, axis) => all * axis.values.length, 1);
  const shade = rest.reduce((all, axis) => all * axis.values.length + axis.values.indexOf(at[axis.name]), 0);
  const strength = 100 - 65 * shade / Math.max(1, shades - 1);
  return `color-mix(in oklab, var(--series-${hue.values.indexOf(at[hue.name])}) ${strength.toFixed(0)}%, var(--paper))`;
}

// The range of all that is drawn, a little wider; what cannot leave [0, 1] does not.
function rangeOf(series, figure) {
  const values = series.flatMap((one) => one.points.flatMap((point) =>
    [point.paper, point.mean, ...(point.std === null ? [] : [point.mean - point.std, point.mean + point.std]), ...point.seeds]));
  const finite = values.filter(Number.isFinite);
  if (!finite.length) return null;
  const low = Math.min(...finite), high = Math.max(...finite), pad = (high - low) * 0.08 || Math.abs(high) * 0.1 || 0.1;
  const share = !figure.unit && low >= 0 && high <= 1;
  return [share ? Math.max(0, low - pad) : low - pad, share ? Math.min(1, high + pad) : high + pad];
}

// Numbers over at least so many decades are placed by their logarithm.
function numberScale(numbers, from, to, least = 2) {
  const low = Math.min(...numbers), high = Math.max(...numbers), logarithmic = low > 0 && high / low >= 10 ** least;
  const unit = logarithmic ? Math.log10 : (value) => value, span = unit(high) - unit(low) || 1;
  return { logarithmic, place: (value) => from + (unit(value) - unit(low)) / span * (to - from) };
}

function label(svg, text, room, attributes) {
  const fits = Math.max(3, Math.floor(room / 7.4)), cut = text.length > fits ? `${text.slice(0, fits - 1)}…` : text;
  node("title", {}, node("text", attributes, svg, cut), text);
}

function drawLevels(svg, levels, py, width) {
  for (const level of levels) {
    node("line", { class: "grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: py(level), y2: py(level) }, svg);
    node("text", { class: "tick", x: MARGIN.left - 8, y: py(level) + 4, "text-anchor": "end" }, svg, tidy(level));
  }
}

// How a chart lies: its size, at(point, series, value) -> [x, y], and frame(svg), which draws all behind the marks.
function acrossLayout(axis, range, series, width) {
  const height = width > 700 ? 400 : 300, inset = 14 + 5 * Math.min(series.length, 4);
  const scale = numberScale(axis.numbers, MARGIN.left + inset, width - MARGIN.right - inset);
  const py = (value) => MARGIN.top + (1 - (value - range[0]) / (range[1] - range[0])) * (height - MARGIN.top - MARGIN.bottom);
  // Error bars of several series at one number stand beside each other.
  const shift = (index) => (index - (series.length - 1) / 2) * Math.min(12, 36 / series.length);
  return {
    height, base: height - MARGIN.bottom, at: (point, index, value, aside = 0) => [scale.place(point.number) + shift(index) + aside, py(value)],
    frame(svg) {
      drawLevels(svg, ticks(...range, 5), py, width);
      const order = axis.values.map((value, index) => [axis.numbers[index], value]).sort((a, b) => a[0] - b[0]);
      let free = -Infinity; // A name that would touch the one before is left out.
      for (const [number, value] of order) {
        const x = scale.place(number), half = value.length * 3.4 + 4;
        node("line", { class: "grid", x1: x, x2: x, y1: height - MARGIN.bottom, y2: height - MARGIN.bottom + 5 }, svg);
        if (x - half < free) continue;
        node("text", { class: "tick", x, y: height - MARGIN.bottom + 19, "text-anchor": "middle" }, svg, value);
        free = x + half;
      }
      const title = scale.logarithmic ? `${axis.name}, logarithmic` : axis.name;
      label(svg, title, width - 80, { class: "axis", x: width / 2, y: height - 5, "text-anchor": "middle" });
    },
  };
}

function downLayout(axis, range, series, width, figure) {
  const longest = Math.max(...axis.values.map((value) => value.length)) * 6.8 + 18, beside = width > 560;
  const left = beside ? Math.min(longest, width * 0.3) : 10, step = Math.min(18, 120 / series.length), above = beside ? 16 : 32;
  const row = above + step * series.length + (beside ? 0 : 4), height = MARGIN.top + axis.values.length * row + MARGIN.bottom;
  const px = (value) => left + 14 + (value - range[0]) / (range[1] - range[0]) * (width - left - 14 - MARGIN.right);
  const y = (index, one) => MARGIN.top + index * row + (beside ? above / 2 : above) + step * (one + 0.5);
  return {
    height, base: null, at: (point, index, value, aside = 0) => [px(value), y(point.index, index) + aside],
    frame(svg) {
      const bottom = height - MARGIN.bottom;
      for (const tick of ticks(...range, width > 500 ? 6 : 4)) {
        node("line", { class: "grid", x1: px(tick), x2: px(tick), y1: MARGIN.top, y2: bottom }, svg);
        node("text", { class: "tick", x: px(tick), y: bottom + 19, "text-anchor": "middle" }, svg, tidy(tick));
      }
      label(svg, figure.unit ? `${figure.title}, ${figure.unit}` : figure.title, width - 40, { class: "axis", x: (left + 14 + width) / 2, y: height - 5, "text-anchor": "middle" });
      axis.values.forEach((value, index) => {
        const top = MARGIN.top + index * row;
        if (index) node("line", { class: "grid", x1: 0, x2: width - MARGIN.right, y1: top, y2: top }, svg);
        if (beside) label(svg, value, left, { x: 6, y: top + row / 2 + 4 });
        else label(svg, value, width - 20, { x: 6, y: top + 20 });
      });
    },
  };
}

// Marks of one series; returns its points as [x, y, point] for the pointer.
function drawSeries(svg, one, index, layout, { lines, dim, alone }) {
  const group = node("g", { class: `series${dim ? " dim" : ""}${alone ? " alone" : ""}`, style: `--colour: ${one.colour}` }, svg), found = [];
  const spots = (name) => one.points.map((point) => (point[name] === null ? [0, null] : layout.at(point, index, point[name])));
  const plain = (value) => value;
  if (lines) {
    node("path", { class: "paper", d: path(spots("paper"), plain, plain) }, group);
    node("path", { class: "mean", d: path(spots("mean"), plain, plain) }, group);
  }
  for (const point of one.points) {
    const spot = (value) => layout.at(point, index, value);
    if (point.std !== null) {
      const [[x1, y1], [x2, y2]] = [spot(point.mean - point.std), spot(point.mean + point.std)];
      node("line", { class: "spread", x1, y1, x2, y2 }, group);
    }
    // Beside the error bar, whose ends they would otherwise look like.
    for (const seed of point.seeds) { const [cx, cy] = layout.at(point, index, seed, 6); node("circle", { class: "seed", r: 2.5, cx, cy }, group); }
    if (point.paper !== null) {
      const [x, y] = spot(point.paper);
      node("path", { class: "diamond", d: `M${x} ${y - 5.5}L${x + 5.5} ${y}L${x} ${y + 5.5}L${x - 5.5} ${y}Z` }, group);
      found.push([x, y, point]);
    }
    if (point.mean !== null) {
      const [cx, cy] = spot(point.mean);
      node("circle", { class: "dot", r: 4.5, cx, cy }, group);
      found.push([cx, cy, point]);
    }
  }
  return found.map((spot) => [...spot, one]);
}

function readout(axis, figure, [, , point, one]) {
  const spread = point.std === null ? "" : ` ± ${shown(point.std, figure)}`, runs = point.finished === 1 ? "1 run" : `${point.finished} runs`;
  const here = point.mean === null ? "no finished run" : `${shown(point.mean, figure)}${spread} (${runs})`;
  return `${[`${axis.name} ${point.value}`, one.label].filter(Boolean).join(", ")}: ${here}${point.paper === null ? "" : `, paper ${shown(point.paper, figure)}`}`;
}

// A button for each series singles it out, and pressed again lets it go: choose(index or null).
function drawKeys(keys, series, choose) {
  let chosen = null;
  keys.replaceChildren(...series.map((one, index) => {
    const button = make("button", { type: "button", textContent: one.label });
    button.style.setProperty("--colour", one.colour);
    button.setAttribute("aria-pressed", "false");
    button.addEventListener("click", () => {
      chosen = chosen === index ? null : index;
      [...keys.children].forEach((other, at) => other.setAttribute("aria-pressed", String(chosen === at)));
      choose(chosen);
    });
    return button;
  }));
}

// Draws one chart into its <figure>, and returns redraw(figure).
function axisChart(holder, axis) {
  const chart = holder.querySelector(".chart"), output = holder.querySelector("output"), keys = holder.querySelector(".series-keys");
  let figure = null, chosen = null;
  function draw() {
    const width = chart.clientWidth, series = seriesOf(axis, figure), range = rangeOf(series, figure);
    holder.querySelector("b").textContent = `${figure.title} against ${axis.name}`;
    if (!width) return;
    if (!range) { chart.replaceChildren(make("p", { className: "nothing", textContent: "no values of this figure" })); return; }
    const numeric = Boolean(axis.numbers?.every(Number.isFinite));
    const layout = (numeric ? acrossLayout : downLayout)(axis, range, series, width, figure);
    const svg = node("svg", { viewBox: `0 0 ${width} ${layout.height}`, height: layout.height, role: "img", "aria-label": `${figure.title} against ${axis.name}; the table of settings has the numbers` });
    layout.frame(svg);
    const spots = series.flatMap((one, index) => drawSeries(svg, one, index, layout, { lines: numeric, dim: chosen !== null && chosen !== index, alone: series.length === 1 }));
    const ring = node("circle", { class: "ring", r: 8, visibility: "hidden" }, svg);
    svg.addEventListener("pointermove", (event) => {
      const near = closest(spots, (spot) => Math.hypot(spot[0] - event.offsetX, spot[1] - event.offsetY));
      ring.setAttribute("cx", near[0]); ring.setAttribute("cy", near[1]); ring.setAttribute("visibility", "visible");
      output.textContent = readout(axis, figure, near);
    });
    svg.addEventListener("pointerleave", () => { ring.setAttribute("visibility", "hidden"); output.textContent = ""; });
    chart.replaceChildren(svg);
    if (series.length > 1 && !keys.children.length) drawKeys(keys, series, (index) => { chosen = index; draw(); });
  }
  whenResized(chart, () => { if (figure) draw(); });
  return (next) => { figure = next; draw(); };
}

// The lines of all charts share one scale, from step 0 on; values over more than a decade are placed by their logarithm.
function trainingLayout(lines, name, width) {
  const height = width > 700 ? 400 : 300, points = lines.flatMap((one) => one.points.filter(([, value]) => Number.isFinite(value)));
  const values = points.map((point) => point[1]), low = Math.min(...values), high = Math.max(...values);
  const room = low < high ? 0 : Math.abs(low) * 0.1 || 0.1; // One value has a scale as well.
  const up = numberScale([low - room, high + room], height - MARGIN.bottom - 8, MARGIN.top + 8, 1);
  const across = numberScale([0, Math.max(1, ...points.map((point) => point[0]))], MARGIN.left, width - MARGIN.right);
  const levels = up.logarithmic ? decades(low, high) : ticks(low - room, high + room, 5);
  return {
    height, px: across.place, py: up.place,
    frame(svg) {
      drawLevels(svg, levels, up.place, width);
      for (const tick of ticks(0, Math.max(...points.map((point) => point[0])), width > 500 ? 8 : 4).filter(Number.isInteger))
        node("text", { class: "tick", x: across.place(tick), y: height - MARGIN.bottom + 19, "text-anchor": "middle" }, svg, tidy(tick));
      label(svg, `step${up.logarithmic ? `; ${name} logarithmic` : ""}`, width - 80, { class: "axis", x: width / 2, y: height - 5, "text-anchor": "middle" });
    },
  };
}

// 0.1, 0.2, 0.5, 1, ... or, where those are too many, powers of ten.
function decades(low, high) {
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const found = ticks(first, last, last - first).flatMap((power) => [1, 2, 5].map((factor) => factor * 10 ** power));
  const inside = found.filter((level) => level >= low && level <= high);
  return inside.length <= 8 ? inside : ticks(Math.log10(low), Math.log10(high), 5).filter(Number.isInteger).map((power) => 10 ** power);
}

function drawLine(svg, one, { px, py }, dim) {
  const group = node("g", { class: `series${dim ? " dim" : ""}`, style: `--colour: ${one.colour}` }, svg);
  const known = one.points.map(([, value]) => Number.isFinite(value));
  node("path", { class: "mean", d: path(one.points, px, py) }, group);
  // A point between gaps is no line.
  one.points.forEach(([step, value], index) => {
    if (known[index] && !known[index - 1] && !known[index + 1]) node("circle", { class: "dot", r: 4, cx: px(step), cy: py(value) }, group);
  });
}

// Draws the trainings on one set of images into a <figure>, and returns redraw({ name, lines, chosen }).
// Below stand the values at the last step, or at the one under the pointer; of many lines that of the nearest.
function trainingChart(holder) {
  const chart = holder.querySelector(".chart"), output = holder.querySelector("output"), many = 8;
  let shown = null;
  const tell = (spots) => output.replaceChildren(`step ${spots[0][0]}`, ...spots.map(([, value, one]) => {
    const item = make("span", { textContent: one.label ? `${one.label}: ${tidy(value)}` : tidy(value) });
    item.style.setProperty("--colour", one.colour);
    return item;
  }));
  function draw() {
    const width = chart.clientWidth, { name, chosen } = shown, lines = shown.lines.filter((one) => one.set === holder.dataset.set);
    holder.querySelector("b").textContent = `${name} against step`;
    output.replaceChildren();
    if (!width) return;
    if (!lines.length) { chart.replaceChildren(make("p", { className: "nothing", textContent: "not logged here" })); return; }
    const layout = trainingLayout(shown.lines, name, width), { height, px, py } = layout;
    const svg = node("svg", { viewBox: `0 0 ${width} ${height}`, height, role: "img", "aria-label": `${name} against step` });
    layout.frame(svg);
    for (const one of lines) drawLine(svg, one, layout, chosen !== null && chosen !== one.label);
    chart.replaceChildren(svg);
    const bright = lines.filter((one) => chosen === null || chosen === one.label);
    if (!bright.length) return;
    const spots = bright.flatMap((one) => one.points.filter(([, value]) => Number.isFinite(value)).map((point) => [...point, one]));
    const moment = node("g", { class: "moment" }, svg), last = Math.max(...spots.map((spot) => spot[0]));
    const rest = () => {
      moment.replaceChildren();
      if (bright.length <= many) tell(spots.filter((spot) => spot[0] === last)); else output.replaceChildren();
    };
    svg.addEventListener("pointermove", (event) => {
      const [step] = closest(spots, (spot) => Math.abs(px(spot[0]) - event.offsetX)), here = spots.filter((spot) => spot[0] === step);
      const near = bright.length <= many ? here : [closest(here, (spot) => Math.abs(py(spot[1]) - event.offsetY))];
      moment.replaceChildren(node("line", { x1: px(step), x2: px(step), y1: MARGIN.top, y2: height - MARGIN.bottom }));
      for (const [, value, one] of near) {
        const group = node("g", { class: "series", style: `--colour: ${one.colour}` }, moment);
        node("circle", { class: "dot", r: 4.5, cx: px(step), cy: py(value) }, group);
      }
      tell(near);
    });
    svg.addEventListener("pointerleave", rest);
    rest();
  }
  whenResized(chart, () => { if (shown) draw(); });
  return (next) => { shown = next; draw(); };
}
