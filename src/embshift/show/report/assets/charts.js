// Charts, rendered as SVG by Apache ECharts. Its own tooltips are not used because they are written as markup.
const charts = {};
const ROW = 30;
const PAPER = 680; // CSS pixels between the margins of an A4 page

function inks() {
  const style = getComputedStyle(document.documentElement);
  return { ink: style.getPropertyValue("--ink").trim(), quiet: style.getPropertyValue("--quiet").trim(), line: style.getPropertyValue("--line").trim() };
}

function chart(id) {
  if (charts[id]) return charts[id];
  const place = byId(id).querySelector(".chart");
  const found = echarts.init(place, null, { renderer: "svg" });
  found.on("mousemove", (event) => hover(id, event));
  found.on("mouseout", hideTip);
  found.on("click", (event) => {
    const target = marks[id](event);
    if (target && target.metric !== undefined) showBehind(target.transform, target.metric, true);
  });
  found.getZr().on("globalout", hideTip);
  charts[id] = found;
  return found;
}

function hover(id, event) {
  const target = marks[id](event);
  if (!target) return hideTip();
  const at = event.event.event;
  return showTip(target.text, at.clientX, at.clientY);
}

function title(id, heading, note, words) {
  byId(id).querySelector("h3").textContent = heading;
  byId(id).querySelector("p").textContent = note;
  byId(id).querySelector(".chart").setAttribute("aria-label", words);
}

function plot(id, rows, option, extra) {
  const found = chart(id);
  const height = rows ? rows * (extra.row || ROW) + extra.space : 0;
  found.getDom().dataset.rows = rows;
  found.getDom().style.height = `${height}px`;
  // Clear before resizing: the labels of the previous chart would look up rows that are no longer shown.
  found.clear();
  if (!rows) return;
  found.resize({ width: state.printing ? PAPER : "auto", height });
  const font = getComputedStyle(document.body).fontFamily;
  found.setOption({ animation: false, textStyle: { fontFamily: font }, ...option }, { notMerge: true });
}

function room() {
  return state.printing ? PAPER : byId("means").clientWidth;
}

function labelRoom() {
  const width = room();
  return width < 520 ? Math.min(110, width * 0.32) : 190;
}

// Categories are positions, never names: the library would interpret some characters of a name as a format.
function rowAxis(rows) {
  const { ink, line } = inks();
  const wide = labelRoom();
  return {
    type: "category",
    inverse: true,
    data: rows.map((_, place) => String(place)),
    axisTick: { show: false },
    axisLine: { lineStyle: { color: line } },
    axisLabel: { color: ink, interval: 0, width: wide - 12, overflow: "truncate", formatter: (place) => shortened(data.transforms[rows[place]].name, 60) },
  };
}

function valueAxis(metric) {
  const { ink, quiet, line } = inks();
  return {
    type: "value",
    scale: true,
    inverse: metric.higher,
    name: `${metricTitle(metric)}; further right (${metric.higher ? "lower" : "higher"}) means further from the original`,
    nameLocation: "middle",
    nameGap: 30,
    nameTextStyle: { color: quiet, width: room() - 40, overflow: "break" },
    axisLabel: { color: ink, hideOverlap: true, formatter: (value) => String(Number(value.toPrecision(6))).replace("-", "−") },
    splitLine: { lineStyle: { color: line } },
  };
}

function grid() {
  return { left: labelRoom(), right: 24, top: 12, bottom: 54, containLabel: false };
}

let meansRows = [];

function described(rows, metric) {
  return rows.map((row) => `${data.transforms[row].name} ${number(data.cells[row][metric].mean)}`).join(", ");
}

// Bars from the value of no shift to the mean, with the interval as a whisker.
function meansItem(rows) {
  const { ink } = inks();
  return (params, api) => {
    const [place, mean, low, high, identity] = [0, 1, 2, 3, 4].map((at) => api.value(at));
    const band = api.size([0, 1])[1];
    const from = api.coord([identity, place]);
    const to = api.coord([mean, place]);
    const tall = band * 0.56;
    const area = params.coordSys;
    const children = [
      { type: "rect", shape: { x: area.x, y: from[1] - band / 2, width: area.width, height: band }, style: { fill: "transparent" } },
      { type: "rect", shape: { x: Math.min(from[0], to[0]), y: from[1] - tall / 2, width: Math.max(Math.abs(to[0] - from[0]), 1), height: tall }, style: { fill: colourOf(rows[place]) } },
    ];
    if (Number.isFinite(low) && Number.isFinite(high)) {
      const ends = [api.coord([low, place])[0], api.coord([high, place])[0]];
      const whisker = (x1, y1, x2, y2) => ({ type: "line", shape: { x1, y1, x2, y2 }, style: { stroke: ink, lineWidth: 1.6 } });
      children.push(whisker(ends[0], from[1], ends[1], from[1]));
      for (const end of ends) children.push(whisker(end, from[1] - 4, end, from[1] + 4));
    }
    return { type: "group", children };
  };
}

function renderMeans(rows) {
  const [index, metric] = [state.metric, data.metrics[state.metric]];
  const known = rows.filter((row) => data.cells[row][index].mean !== null);
  const values = known.map((row, place) => {
    const cell = data.cells[row][index];
    return [place, cell.mean, cell.low, cell.high, metric.identity];
  });
  title("means", `Mean ${metric.short} by transform`,
    `Bars start at ${number(metric.identity)} (no shift) and end at the mean; lines are ${percent(data.level)} intervals. ${missing(rows, known)}Click a bar to see its images.`,
    `Bar chart of the mean ${metric.short} by transform: ${described(rows, index)}. The table shows the same numbers.`);
  meansRows = known;
  plot("means", known.length, {
    grid: grid(), xAxis: valueAxis(metric), yAxis: rowAxis(known),
    series: [{ type: "custom", renderItem: meansItem(known), data: values, dimensions: ["place", "mean", "low", "high", "identity"], encode: { x: [1, 2, 3, 4], y: 0 } }],
  }, { space: 70 });
}

function missing(rows, known) {
  const gone = rows.length - known.length;
  return gone ? `${gone} ${gone === 1 ? "transform has" : "transforms have"} no defined value and no mark. ` : "";
}

// One outline per transform, scaled to its fullest bin, with a line at its median.
function spreadItem(rows, found) {
  const { ink } = inks();
  return (params, api) => {
    const place = api.value(0);
    const [counts, quantiles] = [found.counts[rows[place]], found.quantiles[rows[place]]];
    const band = api.size([0, 1])[1];
    const base = api.coord([found.edges[0], place])[1] + band * 0.45;
    const most = Math.max(...counts, 1);
    const points = [[api.coord([found.edges[0], place])[0], base]];
    counts.forEach((count, bin) => {
      const top = base - (count / most) * band * 0.86;
      points.push([api.coord([found.edges[bin], place])[0], top], [api.coord([found.edges[bin + 1], place])[0], top]);
    });
    points.push([api.coord([found.edges[counts.length], place])[0], base]);
    const median = api.coord([quantiles[2], place])[0];
    const area = params.coordSys;
    return { type: "group", children: [
      { type: "rect", shape: { x: area.x, y: base - band * 0.95, width: area.width, height: band }, style: { fill: "transparent" } },
      { type: "polygon", shape: { points }, style: { fill: colourOf(rows[place]) } },
      { type: "line", shape: { x1: median, x2: median, y1: base, y2: base - band * 0.86 }, style: { stroke: ink, lineWidth: 1.4 } },
    ] };
  };
}

let spreadRows = [];

function renderSpread(rows) {
  const [index, metric] = [state.metric, data.metrics[state.metric]];
  const found = data.distributions[index];
  spreadRows = rows.filter((row) => found.edges.length && found.quantiles[row].length);
  const range = found.edges.length ? [found.edges[0], found.edges[found.edges.length - 1]] : [0, 1];
  const medians = spreadRows.map((row) => `${data.transforms[row].name} ${number(found.quantiles[row][2])}`).join(", ");
  title("spread", `Distribution of ${metric.short} over images`,
    `One histogram per transform (${found.edges.length ? found.edges.length - 1 : 0} bins), scaled to its own fullest bin; the line is the median. ${missing(rows, spreadRows)}Click one to see its images.`,
    `Distributions of ${metric.short} by transform. Medians: ${medians}.`);
  plot("spread", spreadRows.length, {
    grid: grid(), xAxis: valueAxis(metric), yAxis: rowAxis(spreadRows),
    series: [{ type: "custom", renderItem: spreadItem(spreadRows, found), data: spreadRows.map((_, place) => [place, ...range]), encode: { x: [1, 2], y: 0 } }],
  }, { space: 70, row: 44 });
}

function share(metric, row) {
  const one = data.metrics[metric];
  const means = data.cells.map((cells) => cells[metric].mean).filter((mean) => mean !== null);
  const [low, high] = [Math.min(...means), Math.max(...means)];
  if (!(high > low)) return 0.5;
  const at = (data.cells[row][metric].mean - low) / (high - low);
  return one.higher ? at : 1 - at;
}

let heatKeys = [];

function renderHeat(rows) {
  const metrics = shownMetrics();
  const { ink } = inks();
  heatKeys = [];
  const cells = [];
  rows.forEach((row, down) => metrics.forEach((metric, across) => {
    if (data.cells[row][metric].mean === null) return;
    const colour = data.heatColours[Math.round(share(metric, row) * (data.heatColours.length - 1))];
    heatKeys.push([row, metric]);
    cells.push({ value: [across, down, 0], itemStyle: { color: colour.fill }, label: { color: colour.ink } });
  }));
  title("heat", "Transforms by metrics",
    "Each column has its own scale: the darker, the further from the original. Empty cells are undefined. Click a cell to see its images.",
    `Heat map of the means of ${rows.length} transforms by ${metrics.length} metrics. The table shows the same numbers.`);
  const narrow = room() < 520;
  plot("heat", rows.length, {
    grid: { ...grid(), top: narrow ? 96 : 34, bottom: 10, right: 8 },
    xAxis: { type: "category", position: "top", data: metrics.map((_, place) => String(place)), axisTick: { show: false }, axisLine: { show: false },
      axisLabel: { color: ink, interval: 0, rotate: narrow ? 60 : 0, formatter: (place) => shortened(data.metrics[metrics[place]].short, 18) } },
    yAxis: rowAxis(rows),
    series: [{ type: "heatmap", data: cells, itemStyle: { borderWidth: 1, borderColor: getComputedStyle(document.body).backgroundColor },
      label: { show: true, fontSize: narrow ? 9 : 12, formatter: (params) => number(data.cells[heatKeys[params.dataIndex][0]][heatKeys[params.dataIndex][1]].mean, narrow ? 2 : 3) } }],
    visualMap: { show: false, min: 0, max: 1, inRange: { opacity: 1 }, seriesIndex: [] },
  }, { space: narrow ? 106 : 44 });
}

function target(rows, event) {
  if (event.dataIndex === undefined || rows[event.dataIndex] === undefined) return null;
  const transform = rows[event.dataIndex];
  return { transform, metric: state.metric, text: cellText(transform, state.metric) };
}

function spreadTarget(event) {
  const found = target(spreadRows, event);
  if (!found) return null;
  const distribution = data.distributions[state.metric];
  const [x] = charts.spread.convertFromPixel({ gridIndex: 0 }, [event.event.offsetX, event.event.offsetY]);
  const bin = distribution.edges.findIndex((edge, at) => x >= edge && x <= distribution.edges[at + 1]);
  const q = distribution.quantiles[found.transform];
  const lines = [data.transforms[found.transform].name];
  if (bin >= 0) {
    const count = distribution.counts[found.transform][bin];
    lines.push(`${number(distribution.edges[bin])} to ${number(distribution.edges[bin + 1])}: ${count.toLocaleString("en")} ${count === 1 ? "image" : "images"}`);
  }
  lines.push(`median ${number(q[2])}`, `middle half of the images ${number(q[1])} to ${number(q[3])}`, `middle 90 % ${number(q[0])} to ${number(q[4])}`);
  return { ...found, text: lines.join("\n") };
}

const marks = {
  means: (event) => target(meansRows, event),
  spread: spreadTarget,
  heat: (event) => {
    const key = heatKeys[event.dataIndex];
    return key ? { transform: key[0], metric: key[1], text: cellText(key[0], key[1]) } : null;
  },
};

function renderCharts() {
  if (!data.metrics.length || !data.transforms.length) return;
  const rows = shownTransforms();
  renderMeans(rows);
  renderSpread(rows);
  renderHeat(rows);
}

function fillMetric() {
  const select = byId("metric");
  for (const [index, one] of data.metrics.entries()) select.append(make("option", { value: index, text: metricTitle(one) }));
  select.addEventListener("change", () => {
    state.metric = Number(select.value);
    changed();
  });
}
