// The threshold of pixels, moved: the outlines of images called defective, drawn anew from their maps of 256 levels, with
// their precision and recall. Uses rows, called and run of threshold.js, levels of viewer.js, and maps.js.

const truths = new Map(); // card -> what is outlined by hand, Uint8Array [height * width]; null where nothing is

// As the threshold of images has it at the moment; of an image without a score nobody knows.
const calledDefective = (card) => {
  const row = rows[Number(card.dataset.row)];
  return levels.has(card) && (!row || called(row) !== false);
};

async function readTruth(card) {
  const image = card.querySelector("[data-view=truth] img");
  if (!image) { truths.set(card, null); return; }
  const { data } = await pixels(image.src, Number(card.dataset.width), Number(card.dataset.height));
  truths.set(card, Uint8Array.from({ length: data.length / 4 }, (_, at) => Number(data[4 * at] > 127)));
}

// Pixels above a level, pooled over images whose defects are outlined by hand, or that have none.
function pixelCounts(cards, level) {
  const found = { hits: 0, marked: 0, defective: 0, images: 0 };
  for (const card of cards) {
    const truth = truths.get(card), values = levels.get(card);
    if (!truth && rows[Number(card.dataset.row)]?.label !== 0) continue;
    found.images += 1;
    for (let at = 0; at < values.length; at += 1) {
      const above = values[at] > level, inside = truth ? truth[at] : 0;
      found.marked += above; found.defective += inside; found.hits += above && inside;
    }
  }
  return found;
}

function drawAbove(card, level) {
  const svg = card.querySelector(".outlines"), width = Number(card.dataset.width), height = Number(card.dataset.height), values = levels.get(card);
  if (!svg) return;
  svg.querySelectorAll("path.predicted").forEach((drawn) => drawn.remove());
  placeOutline(svg, "predicted", outline((x, y) => values[y * width + x] > level, width, height));
}

function startPixelThreshold() {
  const slider = byId("pixel-threshold"), number = byId("pixel-number"), back = byId("pixel-fitted"), said = byId("pixel-counts");
  if (!slider) return;
  const [low, high] = run.scales.map, fitted = run.pixel_threshold;
  [slider.min, slider.max] = [low, high];
  const showValue = (value) => { slider.value = value; if (document.activeElement !== number) number.value = tidy(value); };
  let due = false;
  const draw = () => {
    due = false;
    const value = Number(slider.dataset.value), level = Math.min(254, Math.round((value - low) / (high - low) * 255));
    const cards = [...document.querySelectorAll(".image")].filter(calledDefective);
    for (const card of cards) drawAbove(card, level);
    const { hits, marked, defective, images } = pixelCounts(cards, level), share = (part, whole) => whole ? (part / whole).toFixed(3) : "–";
    said.textContent = `precision ${share(hits, marked)}, recall ${share(hits, defective)} over the ${images} shown that are called defective`;
  };
  const explore = async (value) => {
    if (!Number.isFinite(value)) return;
    slider.dataset.value = value;
    showValue(value);
    back.disabled = false;
    const unread = [...document.querySelectorAll(".image")].filter((card) => calledDefective(card) && !truths.has(card));
    await Promise.all(unread.map(readTruth));
    if (!due && !back.disabled) { due = true; requestAnimationFrame(draw); }
  };
  slider.addEventListener("input", () => explore(slider.valueAsNumber));
  number.addEventListener("input", () => explore(number.valueAsNumber));
  back.addEventListener("click", async () => {
    back.disabled = true;
    showValue(fitted);
    said.textContent = "";
    for (const card of document.querySelectorAll(".image")) {
      card.querySelectorAll(".outlines path").forEach((drawn) => drawn.remove());
      await outlines(card);
    }
    slider.focus();
  });
  showValue(fitted);
}
