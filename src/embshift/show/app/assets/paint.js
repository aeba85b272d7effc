// Pixels: images, and maps over them in the colours of the report.
const STEPS = 32;
const INFERNO =
  "0000040403120b0724150b37230c4c310a5c3e09664c0c6b5a116e67166e741a6e801f6c8f24699b2964a82e5fb43359" +
  "c13a50cc4248d74b3fe05536e9612bef6e21f57b17f8890cfb9906fca80dfbb81df9c72ff5d949f2e865f3f586fcffa4";
const RAMP = Array.from({ length: STEPS }, (_, step) => [0, 2, 4].map((at) => parseInt(INFERNO.slice(6 * step + at, 6 * step + at + 2), 16)));

// Images and maps of an answer: {view: ImageBitmap, map: {cells, rows, columns, field}}
export async function decodeBodies(packed) {
  const found = {};
  await Promise.all(packed.head.bodies.map(async (body) => {
    if (body.type === "image/png") {
      const bytes = packed.at(body.offset, body.length);
      found[body.name] = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
      return;
    }
    const [rows, columns] = body.shape;
    const cells = new Uint8Array(packed.at(body.offset, rows * columns));
    found[body.name] = { cells, rows, columns, low: body.low, high: body.high, field: body.field || [0, 0, 1, 1], signed: body.name === "shift_map" };
  }));
  return found;
}

const place = (at, size, cells) => Math.min(Math.max(((at + 0.5) * cells) / size - 0.5, 0), cells - 1);

// Bilinear between the centres of patches, edges repeated; as in the report, but from 0 to 1 by the map's own bounds.
function shareAt(map, u, v) {
  const [left, top] = [Math.floor(u), Math.floor(v)];
  const [right, below] = [Math.min(left + 1, map.columns - 1), Math.min(top + 1, map.rows - 1)];
  const cell = (row, column) => map.cells[row * map.columns + column];
  const upper = cell(top, left) * (1 - u + left) + cell(top, right) * (u - left);
  const lower = cell(below, left) * (1 - u + left) + cell(below, right) * (u - left);
  return (upper * (1 - v + top) + lower * (v - top)) / 255;
}

const [BLACK, WITH, AGAINST] = [[0, 0, 0], [255, 122, 26], [60, 150, 255]];

// Colour and opacity at a share of the map's range; a signed map has 0 in its middle.
function tint(map, share) {
  if (!map.signed) return [RAMP[Math.round(share * (STEPS - 1))], 0.82 * share ** 0.8];
  const size = Math.abs(2 * share - 1);
  return [share > 0.5 ? WITH : AGAINST, 0.85 * size ** 0.7];
}

// The image keeps its colours where the map is low and takes the map's colours where it is high.
export function paint(canvas, image, map) {
  canvas.width = image.width;
  canvas.height = image.height;
  const context = canvas.getContext("2d", { willReadFrequently: Boolean(map) });
  context.drawImage(image, 0, 0);
  if (!map) return;
  const { width, height } = canvas;
  const pixels = context.getImageData(0, 0, width, height);
  const [top, left, tall, wide] = map.field;
  const across = Array.from({ length: width }, (_, x) => (x + 0.5) / width - left);
  for (let y = 0; y < height; y += 1) {
    const down = (y + 0.5) / height - top;
    const v = place((down / tall) * height - 0.5, height, map.rows);
    for (let x = 0; x < width; x += 1) {
      const inside = down >= 0 && down < tall && across[x] >= 0 && across[x] < wide;
      const at = 4 * (y * width + x);
      const share = inside ? shareAt(map, place((across[x] / wide) * width - 0.5, width, map.columns), v) : 0;
      const [colour, over] = inside ? tint(map, share) : [BLACK, 0.45];
      for (let part = 0; part < 3; part += 1) {
        pixels.data[at + part] = (1 - over) * pixels.data[at + part] + over * colour[part];
      }
    }
  }
  context.putImageData(pixels, 0, 0);
}
