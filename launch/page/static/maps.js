// Colours of anomaly maps, and the outlines of masks. Uses svg.js.

// Inferno (matplotlib, CC0), eleven of its 256 colours: equal steps look equal, and its dark end suits a dark page.
const INFERNO = ["#000004", "#160b39", "#420a68", "#6a176e", "#932667", "#bc3754", "#dd513a", "#f37819", "#fca50a", "#f6d746", "#fcffa4"];
const LUT = Array.from({ length: 256 }, (_, value) => {
  const at = value / 255 * (INFERNO.length - 1), left = Math.min(Math.floor(at), INFERNO.length - 2);
  const channel = (colour, start) => parseInt(INFERNO[colour].slice(start, start + 2), 16);
  return [1, 3, 5].map((start) => channel(left, start) * (left + 1 - at) + channel(left + 1, start) * (at - left));
});

async function pixels(source, width, height) {
  const image = new Image();
  await new Promise((done, fail) => { image.onload = done; image.onerror = fail; image.src = source; });
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, width, height);
}

// Gives a quantised map (grey ImageData) its colours, in place. Returns its levels, Uint8Array [height * width].
function paint(image) {
  const values = new Uint8Array(image.width * image.height);
  for (let at = 0; at < values.length; at += 1) {
    values[at] = image.data[4 * at];
    const colour = LUT[values[at]];
    for (let channel = 0; channel < 3; channel += 1) image.data[4 * at + channel] = colour[channel];
  }
  return values;
}

// The edges between pixels inside and outside as an SVG path; runs of edges are one line each.
function outline(marked, width, height) {
  const inside = (x, y) => x >= 0 && y >= 0 && x < width && y < height && marked(x, y);
  const lines = [];
  for (let y = 0; y <= height; y += 1)
    for (let x = 0, start = -1; x <= width; x += 1) {
      const edge = x < width && inside(x, y - 1) !== inside(x, y);
      if (edge && start < 0) start = x;
      if (!edge && start >= 0) { lines.push(`M${start} ${y}H${x}`); start = -1; }
    }
  for (let x = 0; x <= width; x += 1)
    for (let y = 0, start = -1; y <= height; y += 1) {
      const edge = y < height && inside(x - 1, y) !== inside(x, y);
      if (edge && start < 0) start = y;
      if (!edge && start >= 0) { lines.push(`M${x} ${start}V${y}`); start = -1; }
    }
  return lines.join("");
}

// A mask's outline in an SVG over its image: `name` is truth or predicted, and a dark casing sets it off.
async function drawOutline(svg, name, source, width, height) {
  const { data } = await pixels(source, width, height);
  placeOutline(svg, name, outline((x, y) => data[4 * (y * width + x)] > 127, width, height));
}

function placeOutline(svg, name, d) {
  if (d) { node("path", { class: `casing ${name}`, d }, svg); node("path", { class: name, d }, svg); }
}

for (const ramp of document.querySelectorAll(".ramp.map"))
  ramp.style.background = `linear-gradient(to right, ${INFERNO.join(", ")})`;
