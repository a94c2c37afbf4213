// Bars of attributes, assigned and predicted, of the surface that is chosen. Uses svg.js.

// attributes: { domain: [low, high], surfaces: { name: { assigned, predicted, likeness } } }, vectors of unit length or null.
function startAttributes(attributes) {
  const select = byId("attribute-surface");
  if (!select) return;
  const [low, high] = attributes.domain, part = (value) => `${((value - low) / (high - low) * 100).toFixed(2)}%`;
  const choose = () => {
    const chosen = attributes.surfaces[select.value];
    for (const row of document.querySelectorAll(".attribute")) {
      const said = ["assigned", "predicted"].filter((name) => chosen[name]).map((name) => [name, chosen[name][row.dataset.place]]);
      for (const bar of row.querySelectorAll(".track i")) bar.hidden = true;
      for (const [name, value] of said) {
        const bar = row.querySelector(`.track .${name}`), width = Math.abs(value) / (high - low) * 100;
        bar.hidden = false;
        bar.style.left = part(Math.min(0, value));
        bar.style.width = `${width.toFixed(2)}%`;
      }
      row.title = said.map(([name, value]) => `${name} ${tidy(Number(value.toFixed(4)))}`).join(", ");
      row.style.setProperty("--zero", part(0));
    }
    byId("likeness").textContent = chosen.likeness === null ? "" : `cosine of the two ${chosen.likeness.toFixed(3)}`;
  };
  select.addEventListener("change", choose);
  choose();
}
