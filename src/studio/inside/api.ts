import { convolution } from './convolution-gpu.ts';
import { pixelEntropy, teacher } from './entropy-gpu.ts';
import { mix } from './mix-gpu.ts';
import { ssim } from './ssim-gpu.ts';
import { picture, record } from './tape-gpu.ts';
import { warp } from './warp-gpu.ts';

/** What a worker does for the section `inside`. */
export const insideApi = { warp, ssim, mix, pixelEntropy, teacher, convolution, record, picture };

export type InsideApi = typeof insideApi;
