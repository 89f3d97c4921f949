// How the tape's numbers are written.

export function bytesText(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const power = bytes < 2 ** 20 ? 1 : bytes < 2 ** 30 ? 2 : 3;
  const value = bytes / 1024 ** power;
  return `${value.toFixed(value < 100 ? 1 : 0)} ${['KiB', 'MiB', 'GiB'][power - 1]}`;
}

export const msText = (ms: number): string => ms.toFixed(ms < 10 ? 3 : ms < 100 ? 2 : 1);

/** Three significant digits. */
export function normText(norm: number): string {
  if (norm === 0) return '0';
  return norm >= 1e-3 && norm < 1e5 ? String(Number(norm.toPrecision(3))) : norm.toExponential(1);
}

export const shapeText = (shape: readonly number[]): string =>
  shape.length === 0 ? 'scalar' : shape.join('×');

export const countText = (count: number, one: string, many = `${one}s`): string =>
  `${count} ${count === 1 ? one : many}`;
