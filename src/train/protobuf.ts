// The wire format of protocol buffers (protobuf.dev/programming-guides/encoding), as far as TensorBoard events and ONNX need it:
// a writer only, and no schema.

/** Messages are sequences of fields: one after the other. */
export const concat = (parts: readonly Uint8Array[]): Uint8Array => {
  const out = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
};

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) | 0x80);
  return Uint8Array.of(...bytes, value);
}

// A field is its number and wire type (0 varint, 1 eight bytes, 2 length and bytes, 5 four bytes), then the value.
const key = (field: number, wireType: number) => varint(field * 8 + wireType);
/** A whole number from 0 to 2^53. */
export const whole = (field: number, value: number) => concat([key(field, 0), varint(value)]);
/** Bytes, or a message within a message. */
export const message = (field: number, data: Uint8Array) =>
  concat([key(field, 2), varint(data.length), data]);
export const text = (field: number, value: string) => message(field, new TextEncoder().encode(value));

export function double(field: number, value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, value, true);
  return concat([key(field, 1), bytes]);
}

export function float(field: number, value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setFloat32(0, value, true);
  return concat([key(field, 5), bytes]);
}
