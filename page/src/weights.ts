/** Weights as the page holds them: a safetensors file in base64. */

import type { Weights } from "./models/linear";

interface Entry {
  dtype: "F32" | "F16" | "I8";
  shape: number[];
  data_offsets: [number, number];
}

export interface Tensor {
  shape: number[];
  values: Weights;
}

export type Tensors = Map<string, Tensor>;

/** The scale of each row of a matrix in int8 stands beside it under this ending. */
const SCALE = ".scale";

/** Reads a safetensors file; whatever it stores comes as float32. */
export function readTensors(base64: string): Tensors {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const header = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const entries: Record<string, Entry> = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + header)));
  const tensors: Tensors = new Map();
  for (const [name, entry] of Object.entries(entries)) {
    if (name === "__metadata__") continue;
    const [begin, end] = entry.data_offsets;
    const raw = bytes.slice(8 + header + begin, 8 + header + end).buffer;
    tensors.set(name, { shape: entry.shape, values: toFloat32(entry.dtype, raw) });
  }
  for (const [name, scale] of [...tensors]) {
    if (!name.endsWith(SCALE)) continue;
    const { values } = tensors.get(name.slice(0, -SCALE.length))!;
    const columns = values.length / scale.values.length;
    for (let i = 0; i < values.length; i++) values[i] *= scale.values[Math.floor(i / columns)];
    tensors.delete(name);
  }
  return tensors;
}

function toFloat32(dtype: Entry["dtype"], raw: ArrayBuffer): Weights {
  if (dtype === "F32") return new Float32Array(raw);
  return dtype === "I8" ? new Float32Array(new Int8Array(raw)) : fromHalf(new Uint16Array(raw));
}

/** 2^(e - 25), by the five bits of the exponent; numbers without one are as small as those with the least. */
const POWERS = Float64Array.from({ length: 32 }, (_, exponent) => 2 ** (Math.max(exponent, 1) - 25));

/** The numbers that sixteen bits each stand for; browsers have had Float16Array for too short a time. */
function fromHalf(halves: Uint16Array): Weights {
  const out = new Float32Array(halves.length);
  for (let i = 0; i < out.length; i++) {
    const bits = halves[i];
    const exponent = (bits >> 10) & 31;
    const size = POWERS[exponent] * ((bits & 1023) + (exponent ? 1024 : 0));
    out[i] = bits & 0x8000 ? -size : size;
  }
  return out;
}
