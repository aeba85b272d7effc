// Pixels: images, and maps over them in the colours of the report.
const STEPS = 32;
const INFERNO =
  "0000040403120b0724150b37230c4c310a5c3e09664c0c6b5a116e67166e741a6e801f6c8f24699b2964a82e5fb43359" +
  "c13a50cc4248d74b3fe05536e9612bef6e21f57b17f8890cfb9906fca80dfbb81df9c72ff5d949f2e865f3f586fcffa4";
const RAMP = Array.from({ length: STEPS }, (_, step) => [0, 2, 4].map((at) => parseInt(INFERNO.slice(6 * step + at, 6 * step + at + 2), 16)));

const [WITH, AGAINST] = [[255, 122, 26], [60, 150, 255]];
const OUTSIDE = 0.55; // brightness of what the encoder did not see

// For each of 256 steps of a map: red, green, blue and how much of them stands over the image.
function makeTints(tint) {
  const found = new Float32Array(4 * 256);
  for (let step = 0; step < 256; step += 1) found.set(tint(step / 255), 4 * step);
  return found;
}

const TINTS = makeTints((share) => [...RAMP[Math.round(share * (STEPS - 1))], 0.82 * share ** 0.8]);

// A signed map has 0 in its middle.
const SIGNED = makeTints((share) => [...(share > 0.5 ? WITH : AGAINST), 0.85 * Math.abs(2 * share - 1) ** 0.7]);

// Images and maps of an answer: {view: ImageBitmap, map: {cells, rows, columns, field}}. What is known is not decoded again.
export async function decodeBodies(packed, known = {}) {
  const found = { ...known };
  await Promise.all(packed.head.bodies.map(async (body) => {
    if (known[body.name]) return;
    if (body.type === "image/png") {
      const bytes = packed.at(body.offset, body.length);
      found[body.name] = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
      return;
    }
    const [rows, columns] = body.shape;
    const cells = new Uint8Array(packed.at(body.offset, rows * columns));
    found[body.name] = { cells, rows, columns, field: body.field || [0, 0, 1, 1], tints: body.name === "shift_map" ? SIGNED : TINTS };
  }));
  return found;
}

// For each pixel of a side: the two cells it lies between, the share of the second, and whether it is inside the field.
function makeSteps(size, cells, from, extent) {
  return Array.from({ length: size }, (_, at) => {
    const along = ((at + 0.5) / size - from) / extent;
    const exact = Math.min(Math.max(along * cells - 0.5, 0), cells - 1);
    const first = Math.floor(exact);
    return { first, second: Math.min(first + 1, cells - 1), share: exact - first, inside: along >= 0 && along < 1 };
  });
}

// Bilinear between the centres of patches, edges repeated, as in the report. The image keeps its colours where the map is low.
function lay(data, map, { width, height }) {
  const [top, left, tall, wide] = map.field;
  const across = makeSteps(width, map.columns, left, wide);
  const { cells, columns, tints } = map;
  let at = 0;
  for (const { first, second, share, inside } of makeSteps(height, map.rows, top, tall)) {
    const [upper, lower] = [first * columns, second * columns];
    for (let x = 0; x < width; x += 1, at += 4) {
      const one = across[x];
      if (!inside || !one.inside) {
        for (let part = 0; part < 3; part += 1) data[at + part] *= OUTSIDE;
        continue;
      }
      const above = cells[upper + one.first] + one.share * (cells[upper + one.second] - cells[upper + one.first]);
      const below = cells[lower + one.first] + one.share * (cells[lower + one.second] - cells[lower + one.first]);
      const tint = 4 * Math.round(above + share * (below - above));
      const over = tints[tint + 3];
      for (let part = 0; part < 3; part += 1) data[at + part] = (1 - over) * data[at + part] + over * tints[tint + part];
    }
  }
}

// Paints an image, and a map over it if there is one.
export function paint(canvas, image, map) {
  canvas.width = image.width;
  canvas.height = image.height;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  if (!map) return;
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  lay(pixels.data, map, canvas);
  context.putImageData(pixels, 0, 0);
}
