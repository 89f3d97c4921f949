// WGSL for the editor, as far as colours and indentation need it (WGSL specification, 3 "Textual Structure"). The WGSL that counts is
// read by the browser's own compiler.
import { StreamLanguage } from '@codemirror/language';

const KEYWORDS = new Set(
  (
    'alias break case const const_assert continue continuing default diagnostic discard else enable false fn for if let loop override ' +
    'requires return struct switch true var while'
  ).split(' '),
);
const TYPE =
  /^(bool|f16|[fiu]32|vec[234][fhiu]?|mat[234]x[234][fh]?|array|atomic|ptr|sampler(_comparison)?|texture_\w+)$/;
const NUMBER =
  /^(0[xX]([\da-fA-F]+\.?[\da-fA-F]*|\.[\da-fA-F]+)([pP][+-]?\d+)?|(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?)[fhiu]?/;

interface State {
  /** Block comments that are open: they nest. */
  comments: number;
  /** Brackets that are open. */
  depth: number;
}

export const wgsl = StreamLanguage.define<State>({
  name: 'wgsl',
  startState: () => ({ comments: 0, depth: 0 }),
  token(stream, state) {
    if (state.comments > 0 || stream.match('/*', false)) {
      if (stream.match('/*')) state.comments += 1;
      else if (stream.match('*/')) state.comments -= 1;
      else stream.next();
      return 'comment';
    }
    if (stream.eatSpace()) return null;
    if (stream.match('//')) {
      stream.skipToEnd();
      return 'comment';
    }
    if (stream.match(/^@\w+/)) return 'attributeName';
    if (stream.match(NUMBER)) return 'number';
    if (stream.match(/^[\p{L}_][\p{L}\p{N}_]*/u)) {
      const word = stream.current();
      return KEYWORDS.has(word) ? 'keyword' : TYPE.test(word) ? 'typeName' : null;
    }
    const one = stream.next()!;
    if ('([{'.includes(one)) state.depth += 1;
    else if (')]}'.includes(one)) state.depth = Math.max(0, state.depth - 1);
    return null;
  },
  indent: ({ depth }, after, { unit }) => unit * Math.max(0, depth - (/^\s*[)\]}]/.test(after) ? 1 : 0)),
  languageData: { commentTokens: { line: '//', block: { open: '/*', close: '*/' } } },
});
