// Bilinear sampling of x [N,H,W,C] at grid [N,h,w,2]. One invocation per output pixel and group of channels: the
// coordinate arithmetic is done once for all of them. The gradient to the image is a gather too: bilinear weights are
// the tent max(0, 1 - |at - pixel|), so a source pixel can ask every grid position how much of it was taken.
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';

export type PaddingMode = 'border' | 'zeros' | 'reflection';

/** Channels handled by one invocation; 4 needs bindings seen as vec4, and a channel count divisible by 4. */
export type Lanes = 1 | 2 | 3 | 4;

const typeOf = (lanes: Lanes) => (lanes === 1 ? 'f32' : `vec${lanes}f`);

/** Group i of `lanes` channels of an array. */
const read = (array: string, lanes: Lanes) => {
  if (lanes === 1 || lanes === 4) return `${array}[i]`;
  const parts = Array.from({ length: lanes }, (_, c) => `${array}[i * ${lanes}u + ${c}u]`);
  return `${typeOf(lanes)}(${parts.join(', ')})`;
};

const write = (array: string, lanes: Lanes) => {
  if (lanes === 1 || lanes === 4) return `${array}[i] = v;`;
  return Array.from({ length: lanes }, (_, c) => `${array}[i * ${lanes}u + ${c}u] = v[${c}];`).join(' ');
};

/** `place(g, size)`: the coordinate in pixels and its slope along the grid value, after padding. PyTorch's rules. */
const coordinates = (padding: PaddingMode, alignCorners: boolean) => wgsl`
fn place(g: f32, size: f32) -> vec2f {
#if ${alignCorners}
  var slope = 0.5 * (size - 1.0);
  var at = (g + 1.0) * slope;
#else
  var slope = 0.5 * size;
  var at = (g + 1.0) * slope - 0.5;
#endif
#if ${padding === 'reflection'}
#if ${alignCorners}
  let low = 0.0;
  // One pixel has nothing to reflect between; any span > 0 leads to the clamp below.
  let span = max(size - 1.0, 1.0);
#else
  let low = -0.5;
  let span = size;
#endif
  let away = abs(at - low);
  let flips = floor(away / span);
  let rest = away - flips * span;
  let odd = flips - 2.0 * floor(flips * 0.5) > 0.5;
  slope *= select(1.0, -1.0, (at < low) != odd);
  at = select(rest, span - rest, odd) + low;
#endif
#if ${padding === 'zeros'}
  // Farther out nothing is sampled either; the bounds keep i32(at) + 1 from overflowing.
  at = clamp(at, -2.0, size + 1.0);
#else
  slope = select(0.0, slope, at > 0.0 && at < size - 1.0);
  at = clamp(at, 0.0, size - 1.0);
#endif
  return vec2f(at, slope);
}
`;

/** The four taps around (px, py): offsets in pixels of the image, and weights along each axis. */
const taps = (padding: PaddingMode) => wgsl`
  let fx = floor(px.x);
  let fy = floor(py.x);
  let tx = px.x - fx;
  let ty = py.x - fy;
  let x0 = i32(fx);
  let y0 = i32(fy);
  let right = i32(p.iw) - 1;
  let bottom = i32(p.ih) - 1;
#if ${padding === 'zeros'}
  let inX = vec2f(select(0.0, 1.0, x0 >= 0 && x0 <= right), select(0.0, 1.0, x0 >= -1 && x0 < right));
  let inY = vec2f(select(0.0, 1.0, y0 >= 0 && y0 <= bottom), select(0.0, 1.0, y0 >= -1 && y0 < bottom));
#else
  // The second tap leaves the image only where its weight is 0.
  let inX = vec2f(1.0);
  let inY = vec2f(1.0);
#endif
  let wx = vec2f(1.0 - tx, tx) * inX;
  let wy = vec2f(1.0 - ty, ty) * inY;
  let left0 = u32(clamp(x0, 0, right));
  let left1 = u32(clamp(x0 + 1, 0, right));
  let base = k / (p.h * p.w) * p.ih;
  let top0 = (base + u32(clamp(y0, 0, bottom))) * p.iw;
  let top1 = (base + u32(clamp(y0 + 1, 0, bottom))) * p.iw;
`;

/** y[k] = sum over four taps of weight x[tap]. */
export const gridSample = (padding: PaddingMode, alignCorners: boolean, lanes: Lanes) => wgsl`
alias T = ${typeOf(lanes)};
fn loadX(i: u32) -> T { return ${read('x', lanes)}; }
fn storeY(i: u32, v: T) { ${write('y', lanes)} }
${coordinates(padding, alignCorners)}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let id = flat(gid, groups);
  let each = p.c / ${lanes}u;
  if (id >= p.n * p.h * p.w * each) { return; }
  let k = id / each;
  let c = id % each;
  let px = place(grid[2u * k], f32(p.iw));
  let py = place(grid[2u * k + 1u], f32(p.ih));
  ${taps(padding)}
  let upper = loadX((top0 + left0) * each + c) * wx.x + loadX((top0 + left1) * each + c) * wx.y;
  let lower = loadX((top1 + left0) * each + c) * wx.x + loadX((top1 + left1) * each + c) * wx.y;
  storeY(id, upper * wy.x + lower * wy.y);
}
`;

/** dgrid[k] = (slope_x sum_c g dy/dx, slope_y sum_c g dy/dy): one invocation per grid position, all channels. */
export const gridSampleGradGrid = (padding: PaddingMode, alignCorners: boolean, lanes: Lanes) => wgsl`
alias T = ${typeOf(lanes)};
fn loadX(i: u32) -> T { return ${read('x', lanes)}; }
fn loadG(i: u32) -> T { return ${read('g', lanes)}; }
#if ${lanes === 1}
fn inner(a: f32, b: f32) -> f32 { return a * b; }
#else
fn inner(a: T, b: T) -> f32 { return dot(a, b); }
#endif
${coordinates(padding, alignCorners)}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let k = flat(gid, groups);
  if (k >= p.n * p.h * p.w) { return; }
  let each = p.c / ${lanes}u;
  let px = place(grid[2u * k], f32(p.iw));
  let py = place(grid[2u * k + 1u], f32(p.ih));
  ${taps(padding)}
  let at00 = (top0 + left0) * each;
  let at01 = (top0 + left1) * each;
  let at10 = (top1 + left0) * each;
  let at11 = (top1 + left1) * each;
  var along = vec2f(0.0);
  for (var c = 0u; c < each; c++) {
    let v00 = loadX(at00 + c);
    let v01 = loadX(at01 + c);
    let v10 = loadX(at10 + c);
    let v11 = loadX(at11 + c);
    let across = (v01 * inX.y - v00 * inX.x) * wy.x + (v11 * inX.y - v10 * inX.x) * wy.y;
    let down = (v10 * inY.y - v00 * inY.x) * wx.x + (v11 * inY.y - v01 * inY.x) * wx.y;
    let g = loadG(k * each + c);
    along += vec2f(inner(g, across), inner(g, down));
  }
  dgrid[2u * k] = along.x * px.y;
  dgrid[2u * k + 1u] = along.y * py.y;
}
`;

/** boxes[tile] = (least x, least y, greatest x, greatest y) of the source pixels that p.tile^2 grid positions touch. */
export const gridSampleBoxes = (padding: PaddingMode, alignCorners: boolean) => wgsl`
${coordinates(padding, alignCorners)}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let k = flat(gid, groups);
  let across = (p.w + p.tile - 1u) / p.tile;
  let down = (p.h + p.tile - 1u) / p.tile;
  if (k >= p.n * down * across) { return; }
  let left = k % across * p.tile;
  let top = k / across % down * p.tile;
  let image = k / (across * down) * p.h;
  var low = vec2f(3e38);
  var high = vec2f(-3e38);
  for (var v = top; v < min(top + p.tile, p.h); v++) {
    for (var u = left; u < min(left + p.tile, p.w); u++) {
      let i = 2u * ((image + v) * p.w + u);
      let at = vec2f(place(grid[i], f32(p.iw)).x, place(grid[i + 1u], f32(p.ih)).x);
      low = min(low, at);
      high = max(high, at);
    }
  }
  boxes[k] = vec4i(vec2i(floor(low)), vec2i(ceil(high)));
}
`;

const gradImageHead = (padding: PaddingMode, alignCorners: boolean, lanes: Lanes) => wgsl`
alias T = ${typeOf(lanes)};
fn loadG(i: u32) -> T { return ${read('g', lanes)}; }
fn storeX(i: u32, v: T) { ${write('dx', lanes)} }
${coordinates(padding, alignCorners)}
// How much of source pixel (x, y) went into grid position k.
fn share(k: u32, x: f32, y: f32) -> f32 {
  let wx = 1.0 - abs(place(grid[2u * k], f32(p.iw)).x - x);
  let wy = 1.0 - abs(place(grid[2u * k + 1u], f32(p.ih)).x - y);
  return max(wx, 0.0) * max(wy, 0.0);
}
`;

const sourcePixel = (lanes: Lanes) => wgsl`
  let id = flat(gid, groups);
  let each = p.c / ${lanes}u;
  if (id >= p.n * p.ih * p.iw * each) { return; }
  let k = id / each;
  let c = id % each;
  let x = k % p.iw;
  let y = k / p.iw % p.ih;
  let image = k / (p.iw * p.ih);
`;

/** dx[pixel] = sum over all grid positions of its image, in order. */
export const gridSampleGradImageAll = (padding: PaddingMode, alignCorners: boolean) => wgsl`
${gradImageHead(padding, alignCorners, 1)}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  ${sourcePixel(1)}
  var total = 0.0;
  for (var j = image * p.h * p.w; j < (image + 1u) * p.h * p.w; j++) {
    total += share(j, f32(x), f32(y)) * loadG(j * each + c);
  }
  storeX(id, total);
}
`;

/**
 * dx[pixel] = sum over the blocks whose box holds the pixel, the tiles in them whose box does, and their grid
 * positions, each in order. A block is `block`^2 positions, a tile `tile`^2; boxes are of tiles, blocks of blocks.
 */
export const gridSampleGradImageTiles = (
  padding: PaddingMode,
  alignCorners: boolean,
  lanes: Lanes,
  tile: number,
  block: number,
) => wgsl`
const TILE = ${tile}u;
const BLOCK = ${block}u;
${gradImageHead(padding, alignCorners, lanes)}
fn outside(box: vec4i, x: i32, y: i32) -> bool { return x < box.x || x > box.z || y < box.y || y > box.w; }

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  ${sourcePixel(lanes)}
  let tilesAcross = (p.w + TILE - 1u) / TILE;
  let tilesDown = (p.h + TILE - 1u) / TILE;
  let blocksAcross = (p.w + BLOCK - 1u) / BLOCK;
  let blocksDown = (p.h + BLOCK - 1u) / BLOCK;
  var total = T(0.0);
  for (var b = 0u; b < blocksDown * blocksAcross; b++) {
    if (outside(blocks[image * blocksDown * blocksAcross + b], i32(x), i32(y))) { continue; }
    let firstRow = b / blocksAcross * (BLOCK / TILE);
    let firstColumn = b % blocksAcross * (BLOCK / TILE);
    for (var row = firstRow; row < min(firstRow + BLOCK / TILE, tilesDown); row++) {
      for (var column = firstColumn; column < min(firstColumn + BLOCK / TILE, tilesAcross); column++) {
        if (outside(boxes[(image * tilesDown + row) * tilesAcross + column], i32(x), i32(y))) { continue; }
        for (var v = row * TILE; v < min(row * TILE + TILE, p.h); v++) {
          for (var u = column * TILE; u < min(column * TILE + TILE, p.w); u++) {
            let j = (image * p.h + v) * p.w + u;
            let s = share(j, f32(x), f32(y));
            if (s > 0.0) { total += s * loadG(j * each + c); }
          }
        }
      }
    }
  }
  storeX(id, total);
}
`;
