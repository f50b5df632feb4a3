"use strict";
// Reads what codec.py packs: base64, gzip, a JSON header, and byte planes of folded numbers. Gives Int32Arrays by name.

async function unpack(text) {
  const characters = atob(text.trim());
  const packed = new Uint8Array(characters.length);
  for (let k = 0; k < packed.length; k++) packed[k] = characters.charCodeAt(k);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const raw = new Uint8Array(await new Response(stream).arrayBuffer());
  let at = 4 + new DataView(raw.buffer).getUint32(0, true);
  const arrays = {};
  for (const entry of JSON.parse(new TextDecoder().decode(raw.subarray(4, at)))) {
    arrays[entry.name] = unfold(raw.subarray(at, at + entry.size * entry.width), entry);
    at += entry.size * entry.width;
  }
  return arrays;
}

function unfold(planes, { size, width, ascending }) {
  const out = new Int32Array(size);
  let before = 0;
  for (let k = 0; k < size; k++) {
    let folded = 0;
    for (let byte = 0; byte < width; byte++) folded |= planes[byte * size + k] << (8 * byte);
    const value = folded & 1 ? -(folded >>> 1) - 1 : folded >>> 1;
    before = ascending ? before + value : value;
    out[k] = before;
  }
  return out;
}

function startsOf(counts) {
  const starts = new Int32Array(counts.length + 1);
  for (let k = 0; k < counts.length; k++) starts[k + 1] = starts[k] + counts[k];
  return starts;
}
