// Tensors side by side, so that one launch updates or sums many of them.
import { follows } from '../gpu/block.ts';
import { over, type Tensor } from './tensor.ts';

/**
 * Moves tensors side by side, in their order; they keep their values and stay tensors of their own. One that lies beside others
 * already stays there.
 */
export function colocate(tensors: readonly Tensor[]): void {
  tensors[0]?.device.colocate(tensors.map(({ storage }) => storage));
}

/**
 * The rows of a table, joined wherever the next row follows the last one in every column: of each stretch of rows, one tensor a
 * column. Where nothing lies side by side, the rows as they are. What is joined has padding between its `parts`, which may hold
 * anything.
 * @param columns of equal length; in each row, tensors of one size.
 */
export function stretches(columns: readonly (readonly Tensor[])[]): Tensor[][] {
  const joined: Tensor[][] = [];
  const count = columns[0].length;
  for (let from = 0; from < count; ) {
    let to = from + 1;
    while (to < count && columns.every((column) => follows(column[to - 1].storage, column[to].storage))) to++;
    const rows = columns.map((column) => column.slice(from, to));
    joined.push(rows.map((tensors) => (tensors.length > 1 ? over(tensors) : tensors[0])));
    from = to;
  }
  return joined;
}
