import {
  bestConstantDepth,
  type DepthScores,
  depthMetrics,
  fittedRoadPlane,
  iouTable,
  meanDepthScores,
} from '../../src/train/metrics.ts';
import { randoms } from '../device.ts';
import { equal, is, ok, suite, throws } from '../suite.ts';

const test = suite('metrics');

const near = (got: number | null | undefined, want: number, tolerance = 1e-6) =>
  ok(typeof got === 'number' && Math.abs(got - want) <= tolerance, `${got}, expected ${want}`);

test('iouTable by hand', () => {
  // road: 3 of 4 right; car: 1 of 2 right; tree is predicted once and never true; sky does not occur at all.
  const counts = [3, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
  const table = iouTable(counts, ['road', 'car', 'tree', 'sky']);
  near(table.iou.road, 3 / 4);
  near(table.iou.car, 1 / 3);
  is(table.iou.tree, null);
  is(table.iou.sky, null);
  near(table.miou, (3 / 4 + 1 / 3) / 2);
  near(table.pixelAcc, 4 / 6);
  equal(iouTable([0], ['road']), { miou: null, pixelAcc: null, iou: { road: null } });
  throws(() => iouTable([1, 2], ['road']));
});

test('depth errors by hand', () => {
  const s = depthMetrics(Float32Array.of(2, 8, 50, 90), Float32Array.of(4, 8, 0, 80)) as DepthScores;
  // The third pixel has no truth; the fourth is clipped to 80.
  near(s.absRel, 0.5 / 3);
  near(s.sqRel, 1 / 3);
  near(s.rmse, Math.sqrt(4 / 3));
  near(s.rmseLog, Math.log(2) / Math.sqrt(3));
  near(s.a1, 2 / 3);
  near(s.a2, 2 / 3);
  near(s.a3, 2 / 3);
});

test('median scaling takes out a scale; truth beyond the limit does not count', () => {
  const truth = Float32Array.of(4, 8, 16, 100, 0, 32);
  const pred = truth.map((z, i) => (i === 3 ? 1 : z / 5));
  const s = depthMetrics(pred, truth, { medianScale: true }) as DepthScores;
  near(s.absRel, 0);
  near(s.a1, 1);
  near((depthMetrics(pred, truth) as DepthScores).absRel, 0.8);
  is(depthMetrics(Float32Array.of(1), Float32Array.of(0)), null);
  throws(() => depthMetrics(Float32Array.of(1), Float32Array.of(1, 2)));
});

test('scores are averaged image by image', () => {
  const one = depthMetrics(Float32Array.of(2), Float32Array.of(4));
  const two = depthMetrics(Float32Array.of(8, 8, 8), Float32Array.of(8, 8, 8));
  near(meanDepthScores([one, two, null])?.absRel, 0.25);
  is(meanDepthScores([null]), null);
});

test('the best constant depth beats every other constant', () => {
  const truths = [1, 2, 3].map((stream) => Float32Array.from(randoms(101 * stream, stream, 0.5, 60)));
  truths[1][5] = 0;
  truths[2][7] = 200;
  const best = bestConstantDepth(truths);
  ok(best);
  const scoreOf = (depth: number) =>
    meanDepthScores(truths.map((z) => depthMetrics(new Float32Array(z.length).fill(depth), z)))
      ?.absRel as number;
  near(best.scores.absRel, scoreOf(best.fitted), 1e-12);
  // The least of a sum of |c - z| / z is at one of the values.
  const every = Math.min(...truths.flatMap((z) => [...z].filter((v) => v > 0 && v <= 80).map(scoreOf)));
  ok(best.scores.absRel <= every + 1e-9, `${best.scores.absRel} at ${best.fitted}, least ${every}`);
  // By hand: weights 1, 1/2, 1/4 at 1, 2, 4; half of 1.75 is passed at 1.
  is(bestConstantDepth([Float32Array.of(4, 1, 2)])?.fitted, 1);
  is(bestConstantDepth([Float32Array.of(0)]), null);
});

test('a road plane is found again, whatever the scale of each image', () => {
  const [width, height] = [12, 40];
  const map = (scale: number) => {
    const depth = new Float32Array(width * height);
    for (let i = 0; i < depth.length; i++) {
      const v = (Math.floor(i / width) + 0.5) / height;
      const z = v > 0.42 ? scale / (v - 0.42) : 0;
      depth[i] = z <= 80 ? z : 0;
    }
    return { depth, width, height };
  };
  const fit = fittedRoadPlane([map(1), map(3)]);
  ok(fit);
  near(fit.fitted, 0.42, 2e-3);
  ok(fit.scores.absRel < 0.01, `absRel ${fit.scores.absRel}`);
  const flat = { depth: new Float32Array(480).fill(10), width, height };
  ok((fittedRoadPlane([flat]) as { scores: DepthScores }).scores.absRel > 0.1);
});
