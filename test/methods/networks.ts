/** Networks that train in milliseconds. */
export const smallModel = {
  encoder: { widths: [4, 4, 8, 8, 8], blocks: [1, 1, 1, 1], block: 'basic', stem: 'conv3' },
  decoder: { widths: [4, 4, 4, 8, 8], norm: true },
  pose: { sees: 'images' as const, width: 4, scale: 0.1 },
  scales: [0, 2],
  scores: [0, 2],
} as const;
