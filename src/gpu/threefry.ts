// Threefry-2x32 with 20 rounds (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
// Adds, rotations and xors on u32 only, so WGSL and TypeScript give the same bits (shaders/random.wgsl.ts).

const ROTATIONS = [
  [13, 15, 26, 6],
  [17, 29, 16, 24],
];

const rotateLeft = (x: number, by: number) => ((x << by) | (x >>> (32 - by))) >>> 0;

/** Two u32 words for a 64-bit key and a 64-bit counter. */
export function threefry2x32(key0: number, key1: number, ctr0: number, ctr1: number): [number, number] {
  const key = [key0 >>> 0, key1 >>> 0, (0x1bd11bda ^ key0 ^ key1) >>> 0];
  let x0 = (ctr0 + key[0]) >>> 0;
  let x1 = (ctr1 + key[1]) >>> 0;
  for (let block = 0; block < 5; block++) {
    for (const by of ROTATIONS[block % 2]) {
      x0 = (x0 + x1) >>> 0;
      x1 = rotateLeft(x1, by) ^ x0;
    }
    x0 = (x0 + key[(block + 1) % 3]) >>> 0;
    x1 = (x1 + key[(block + 2) % 3] + block + 1) >>> 0;
  }
  return [x0 >>> 0, x1 >>> 0];
}

/** A number in [0, 1) with 24 random bits, a pure function of its three u32 arguments. */
export function uniform(seed: number, stream: number, counter: number): number {
  return (threefry2x32(seed, stream, counter, 0)[0] >>> 8) / 0x1000000;
}
