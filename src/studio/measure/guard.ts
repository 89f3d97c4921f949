// A loop that never ends holds the GPU, and with it every page, until the system resets the driver; some systems never do. So
// text that somebody edited is first run with its loops counted, and on as it is only when none of them went too far.

/** Turns of one loop in one invocation beyond which it is taken for endless. */
export const MOST_TURNS = 65536;

/** The binding that says whether a loop was stopped. */
export const STOPPED = 'warpmix_stopped';

const blank = (text: string) => text.replace(/[^\n]/g, ' ');

/** WGSL with comments blanked out, at the same places. Block comments nest. */
function withoutComments(wgsl: string): string {
  let out = '';
  let depth = 0;
  for (let i = 0; i < wgsl.length; ) {
    const two = wgsl.slice(i, i + 2);
    if (depth === 0 && two === '//') {
      const end = wgsl.indexOf('\n', i);
      const comment = wgsl.slice(i, end < 0 ? wgsl.length : end);
      out += blank(comment);
      i += comment.length;
    } else if (two === '/*' || (two === '*/' && depth > 0)) {
      depth += two === '/*' ? 1 : -1;
      out += '  ';
      i += 2;
    } else {
      out += depth > 0 ? blank(wgsl[i]) : wgsl[i];
      i += 1;
    }
  }
  return out;
}

/** What WGSL allows in uniform control flow alone, which a variable of the invocation's own cannot promise. */
const UNIFORM = /\b(?:\w+Barrier|workgroupUniformLoad|subgroup\w+|quad[A-Z]\w*)\b/;

/**
 * The same shader with a counter before each loop and a way out at the head of its body. When a loop was stopped, so is every other
 * that the invocation is in or comes to: two endless ones, one inside the other, would take the square of the turns. Not so where
 * something needs uniform control flow, such as a barrier: there each loop counts for itself. Lines stay where they were.
 * @param binding where the u32 is that becomes 1 when a loop was stopped; null where there is no room for it.
 */
export function countLoops(wgsl: string, binding: number | null): string {
  const plain = withoutComments(wgsl);
  let out = '';
  let done = 0;
  let loops = 0;
  const over = UNIFORM.test(plain) ? null : 'warpmix_over';
  for (const head of plain.matchAll(/\b(?:for|while|loop)\b[^{]*\{/g)) {
    const counter = `warpmix_turns_${loops++}`;
    const [start, body] = [head.index, head.index + head[0].length];
    const told = binding === null ? '' : `${STOPPED}[0] = 1u; `;
    out += `${plain.slice(done, start)}var ${counter} = 0u; ${plain.slice(start, body)} ${counter} += 1u; `;
    out += over
      ? `if (${over} || ${counter} > ${MOST_TURNS}u) { ${told}${over} = true; break; }`
      : `if (${counter} > ${MOST_TURNS}u) { ${told}break; }`;
    done = body;
  }
  out += plain.slice(done);
  if (over) out += ` var<private> ${over} = false;`;
  return binding === null
    ? out
    : `${out}\n@group(0) @binding(${binding}) var<storage, read_write> ${STOPPED}: array<u32>;\n`;
}
