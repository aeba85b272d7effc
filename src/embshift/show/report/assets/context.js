// Shifts in context: ready-made tables, and curves over severity.
function plainCell(cell, at) {
  const text = make("span", { class: at ? "value" : "name" }, ...breakable(cell.text));
  const below = cell.small ? make("small", { text: cell.small }) : null;
  if (at) return make("td", {}, text, below);
  const transform = data.transforms.findIndex((one) => one.name === cell.text);
  return make("th", { scope: "row" }, make("span", { class: "named" }, transform < 0 ? null : dot(transform), make("span", {}, text, below)));
}

function plainTable(found, id) {
  const head = make("tr", {}, ...found.header.map((one) => make("th", { scope: "col", title: one.title || null, text: one.text })));
  const table = make("table", { class: "plain" }, make("caption", { id, class: "unseen", text: found.title }), make("thead", {}, head),
    make("tbody", {}, ...found.rows.map((row) => make("tr", {}, ...row.map(plainCell)))));
  return make("div", {}, make("h3", { text: found.title }), make("p", { class: "quiet", text: found.note }),
    make("div", { class: "scroll", role: "region", "aria-labelledby": id, tabindex: "0" }, table));
}

function renderContext() {
  byId("context").hidden = !data.tables.length && !data.curves;
  refill(byId("context-tables"), data.tables.map((one, place) => plainTable(one, `context-${place}`)));
  refill(byId("context-figures"), data.figures.map(embeddedFigure));
  if (!data.curves) byId("curves").remove();
}

function curveText(line, place) {
  const [at, shift] = line.points[place];
  const level = place - (line.points.length - line.strengths.length);
  const strength = level < 0 ? "original" : `strength ${line.strengths[level]}`;
  return [line.name, `${data.curves.axis.split(" (")[0]} ${number(at)}, ${strength}`, `mean shift ${number(shift)}`].join("\n");
}

marks.curves = (event) => {
  const line = data.curves.lines[event.seriesIndex];
  return line && event.dataIndex !== undefined ? { text: curveText(line, event.dataIndex) } : null;
};

// Names at the ends of their lines, moved apart where they would overlap.
function endOffsets(lines, top, height) {
  const places = lines.map((one, at) => [at, (1 - one.points[one.points.length - 1][1] / top) * height]).sort((a, b) => a[1] - b[1]);
  const offsets = lines.map(() => 0);
  let free = -Infinity;
  for (const [at, y] of places) {
    const put = Math.max(y, free);
    offsets[at] = put - y;
    free = put + 13;
  }
  return offsets;
}

function roundUp(value) {
  const step = 10 ** Math.floor(Math.log10(value || 1)) / 2;
  return Number((Math.ceil(value / step) * step).toPrecision(6));
}

function renderCurves() {
  if (!data.curves) return;
  const { ink, quiet, line } = inks();
  const lines = data.curves.lines;
  const last = (one) => one.points[one.points.length - 1][1];
  title("curves", "Mean shift by level", "Mean of 1 − cosine between original and view over images; 0 means no shift. Hover over a mark for its numbers.",
    `Line chart of the mean shift at each level. At the most severe level: ${lines.map((one) => `${one.name} ${number(last(one))}`).join(", ")}.`);
  const known = lines.flatMap((one) => one.points.map((point) => point[1]));
  const top = roundUp(Math.max(...known));
  const offsets = endOffsets(lines, top, lines.length * 8 + 300 - 62);
  const axis = { type: "value", axisLabel: { color: ink, formatter: (value) => String(Number(value.toPrecision(6))).replace("-", "−") }, splitLine: { lineStyle: { color: line } }, nameTextStyle: { color: quiet } };
  plot("curves", lines.length, {
    grid: { left: 56, right: room() < 520 ? 110 : 190, top: 16, bottom: 46 },
    xAxis: { ...axis, name: data.curves.axis, nameLocation: "middle", nameGap: 28, scale: true },
    yAxis: { ...axis, min: 0, max: top },
    series: lines.map((one, place) => ({
      type: "line", data: one.points, symbolSize: 7, symbol: ["circle", "rect", "triangle", "diamond"][place % 4],
      lineStyle: { width: 1.8 }, color: one.colour[isDark() ? "dark" : "light"],
      endLabel: { show: true, color: ink, offset: [0, offsets[place]], formatter: () => shortened(one.name, room() < 520 ? 15 : 26) },
      emphasis: { focus: "series" },
    })),
  }, { space: 300, row: 8 });
}
