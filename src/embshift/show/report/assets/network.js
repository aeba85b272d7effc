// Where in the network the shifts arise: sentences, tables, and figures as images, which show their own titles.
function embeddedFigure(one) {
  const more = one.page > 1 ? `, page ${one.page}` : "";
  const id = `figure-${one.name}-${one.page}`;
  return make("figure", {}, make("figcaption", { id, class: "unseen", text: `Figure: ${one.title}${more}` }),
    make("div", { class: "scroll sheet", role: "region", "aria-labelledby": id, tabindex: "0" }, make("img", { src: one.image, alt: one.alt })));
}

function renderNetwork() {
  const found = data.network;
  if (!found) {
    byId("network").remove();
    return;
  }
  for (const place of ["#network-title", "nav a[href='#network']"]) document.querySelector(place).textContent = found.title;
  refill(byId("network-list"), found.findings.map((one) => make("li", { text: one.text, "data-about": one.about })));
  refill(byId("network-tables"), found.tables.map((one, place) => plainTable(one, `network-${place}`)));
  const note = found.note ? [make("p", { text: found.note })] : [];
  refill(byId("network-figures"), [...found.figures.map(embeddedFigure), ...note]);
}
