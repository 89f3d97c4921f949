// Every fifth colour of matplotlib's magma (CC0), as hex.
const ANCHORS =
  '00000402020b0504160907200e0b2b140e361a104221114e29115a311165390f6e420f754a107952137c5a167e62198' +
  '06a1c81721f81792282812581892881912b81992d80a1307eaa337db2357bba3878c23b75ca3e72d2426fd9466be04c' +
  '67e75263ec5860f1605df4695cf7725cf97b5dfb8560fc8e64fd9869fea16efeaa74feb47bfebd82fec68afecf92fed8' +
  '9afde2a3fdebacfcf4b6fcfdbf';

const STEPS = ANCHORS.length / 6 - 1;

const channel = (anchor: number, offset: number) =>
  Number.parseInt(ANCHORS.slice(anchor * 6 + offset, anchor * 6 + offset + 2), 16);

/**
 * matplotlib's magma as 8-bit RGB for t in [0, 1] (clamped): 52 of its 256 colours with linear interpolation,
 * which is within 1/255 of the full table in every channel.
 */
export function magma(t: number): [number, number, number] {
  const at = Math.min(Math.max(t, 0), 1) * STEPS;
  const low = Math.min(Math.floor(at), STEPS - 1);
  const mix = (offset: number) => {
    const a = channel(low, offset);
    return Math.round(a + (at - low) * (channel(low + 1, offset) - a));
  };
  return [mix(0), mix(2), mix(4)];
}
