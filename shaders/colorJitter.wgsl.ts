// Colour jitter, a pixel or four pixels at a time. The maths is at the head of kernels/colorJitter.ts.
//
// SwiftShader: min, max and clamp cost several times what a comparison and a select do, because they treat NaN, and it computes both
// sides of every branch. So there are comparisons here, and one place where hues turn.
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import { lanes, walkLines } from './channels.wgsl.ts';

const colours = (vector: boolean) => wgsl`
${lanes(vector)}
struct Colour { r: T, g: T, b: T }

fn larger(a: T, b: T) -> T { return select(a, b, b > a); }
fn smaller(a: T, b: T) -> T { return select(a, b, b < a); }
fn clamp01(x: T) -> T { return select(select(x, T(1.0), x > T(1.0)), T(0.0), x < T(0.0)); }

fn grey(c: Colour) -> T { return 0.2989 * c.r + 0.587 * c.g + 0.114 * c.b; }

fn blended(c: Colour, f: vec4f, level: f32) -> Colour {
  let other = f.y * level + f.z * grey(c);
  return Colour(clamp01(f.x * c.r + other), clamp01(f.x * c.g + other), clamp01(f.x * c.b + other));
}

// A channel is the greatest up to a sixth of a turn away from its own hue, and the least from two on.
fn atHue(away: T, value: T, chroma: T) -> T {
  return value - chroma * clamp01(abs(away - 6.0 * round(away * (1.0 / 6.0))) - 1.0);
}

// Hues in sixths of a turn: red is 0, green 2, blue 4. A grey has none, and its chroma is 0.
fn turned(c: Colour, turns: f32) -> Colour {
  let value = larger(c.r, larger(c.g, c.b));
  let chroma = value - smaller(c.r, smaller(c.g, c.b));
  let unit = T(1.0) / (chroma + T(1e-30));
  let hue = select(
    select((c.r - c.g) * unit + 4.0, (c.b - c.r) * unit + 2.0, value == c.g),
    (c.g - c.b) * unit,
    value == c.r,
  ) + 6.0 * turns;
  // The way to the hue and back would cost the last bit.
  let none = turns == 0.0;
  return Colour(
    select(atHue(hue, value, chroma), c.r, none),
    select(atHue(hue - 2.0, value, chroma), c.g, none),
    select(atHue(hue - 4.0, value, chroma), c.b, none),
  );
}

#if ${vector}
// Four pixels are three vectors.
fn pixel(i: u32) -> Colour {
  let u = x[3u * i];
  let v = x[3u * i + 1u];
  let w = x[3u * i + 2u];
  return Colour(vec4f(u.x, u.w, v.z, w.y), vec4f(u.y, v.x, v.w, w.z), vec4f(u.z, v.y, w.x, w.w));
}
#else
fn pixel(i: u32) -> Colour { return Colour(x[3u * i], x[3u * i + 1u], x[3u * i + 2u]); }
#endif
`;

/** @param level WGSL: the mean grey that contrast blends with. */
const walk = (level: string, element: string) =>
  walkLines(
    'p.images',
    'p.pixels / LANES',
    wgsl`
  let first = 7u * (line % p.samples);
  let a = steps[first];
  let b = steps[first + 1u];
  let c = steps[first + 2u];
  let hue = steps[first + 3u].w;
  let d = steps[first + 4u];
  let e = steps[first + 5u];
  let f = steps[first + 6u];
  let m = ${level};
`,
    wgsl`
  let early = blended(blended(blended(pixel(k), a, m), b, m), c, m);
  let o = blended(blended(blended(turned(early, hue), d, m), e, m), f, m);
  ${element}
`,
  );

/** The grey of each pixel when its contrast's turn comes; its mean over the image is what contrast blends with. */
export const greyBeforeContrast = (vector: boolean) => wgsl`
${colours(vector)}

${walk('0.0', 'y[k] = grey(o);')}
`;

/** All steps of a pixel in one go. */
export const colorJitter = (vector: boolean) => wgsl`
${colours(vector)}

${walk(
  'level[line]',
  wgsl`
#if ${vector}
  y[3u * k] = vec4f(o.r.x, o.g.x, o.b.x, o.r.y);
  y[3u * k + 1u] = vec4f(o.g.y, o.b.y, o.r.z, o.g.z);
  y[3u * k + 2u] = vec4f(o.b.z, o.r.w, o.g.w, o.b.w);
#else
  y[3u * k] = o.r;
  y[3u * k + 1u] = o.g;
  y[3u * k + 2u] = o.b;
#endif
`,
)}
`;
