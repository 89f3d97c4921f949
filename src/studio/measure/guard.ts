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

/**
 * The same shader with a counter before each loop and a way out at the head of its body; a barrier in a loop stays in uniform control
 * flow. Lines stay where they were.
 * @param binding where the u32 is that becomes 1 when a loop was stopped; null where there is no room for it.
 */
export function countLoops(wgsl: string, binding: number | null): string {
  const plain = withoutComments(wgsl);
  let out = '';
  let done = 0;
  let loops = 0;
  for (const head of plain.matchAll(/\b(?:for|while|loop)\b[^{]*\{/g)) {
    const counter = `warpmix_turns_${loops++}`;
    const [start, body] = [head.index, head.index + head[0].length];
    const told = binding === null ? '' : `${STOPPED}[0] = 1u; `;
    out += `${plain.slice(done, start)}var ${counter} = 0u; ${plain.slice(start, body)} ${counter} += 1u; `;
    out += `if (${counter} > ${MOST_TURNS}u) { ${told}break; }`;
    done = body;
  }
  out += plain.slice(done);
  return binding === null
    ? out
    : `${out}\n@group(0) @binding(${binding}) var<storage, read_write> ${STOPPED}: array<u32>;\n`;
}
