import * as kernels from '../../kernels/matmul.ts';
import { record } from '../autograd/tape.ts';
import { empty, launch, ShapeError, shapeText, type Tensor } from '../autograd/tensor.ts';
import { sumTo } from './sum.ts';

export interface MatmulOptions {
  /** Read a as its transpose: a is [..,K,M]. */
  transposeA?: boolean;
  /** Read b as its transpose: b is [..,N,K]. */
  transposeB?: boolean;
}

/**
 * Matrix product a [M,K] b [K,N] -> [M,N], or of each pair of a batch: [B,M,K] [B,K,N] -> [B,M,N]. An operand without a
 * batch axis is used for the whole batch.
 */
export function matmul(a: Tensor, b: Tensor, options: MatmulOptions = {}): Tensor {
  const { transposeA = false, transposeB = false } = options;
  const [ra, rb] = [a.shape.length, b.shape.length];
  const complain = () => {
    throw new ShapeError(
      `matmul: ${shapeText(a.shape)}${transposeA ? ' transposed' : ''} times ${shapeText(b.shape)}` +
        `${transposeB ? ' transposed' : ''}: needs [M,K] [K,N] or a batch of them`,
    );
  };
  if (ra < 2 || ra > 3 || rb < 2 || rb > 3) complain();
  const [rowsA, columnsA] = a.shape.slice(-2);
  const [rowsB, columnsB] = b.shape.slice(-2);
  const [m, k] = transposeA ? [columnsA, rowsA] : [rowsA, columnsA];
  const [kb, n] = transposeB ? [columnsB, rowsB] : [rowsB, columnsB];
  const batch = ra === 3 ? a.shape[0] : rb === 3 ? b.shape[0] : 1;
  if (k !== kb || (ra === 3 && rb === 3 && a.shape[0] !== b.shape[0])) complain();
  const c = empty(ra === 3 || rb === 3 ? [batch, m, n] : [m, n], 'f32', a.device);
  const params = {
    batch,
    m,
    n,
    k,
    az: ra === 3 ? m * k : 0,
    am: transposeA ? 1 : k,
    ak: transposeA ? m : 1,
    bz: rb === 3 ? k * n : 0,
    bk: transposeB ? 1 : n,
    bn: transposeB ? k : 1,
  };
  launch(kernels.matmul, params, { a, b, c });
  return record('matmul', [a, b], c, (g, [needA, needB]) => [
    needA
      ? sumTo(
          transposeA
            ? matmul(b, g, { transposeA: transposeB, transposeB: true })
            : matmul(g, b, { transposeB: !transposeB }),
          a.shape,
        )
      : null,
    needB
      ? sumTo(
          transposeB
            ? matmul(g, a, { transposeA: true, transposeB: transposeA })
            : matmul(a, g, { transposeA: !transposeA }),
          b.shape,
        )
      : null,
  ]);
}
