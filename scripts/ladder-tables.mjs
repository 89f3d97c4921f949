// Writes the section "Measured" of the pages in docs/kernels from a run of `warpmix bench ladder`.
//   npx warpmix bench ladder --json > ladder.json
//   node scripts/ladder-tables.mjs ladder.json
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

const [BEGIN, END] = ['<!-- from scripts/ladder-tables.mjs -->', '<!-- end -->'];
/** At the size of training. The cases of `warpmix check` are too small to say anything about time. */
const SIZED = /^(step of|photometric term of single kernels)/;
/** Families without a page of their own. */
const PAGES = { bytes: 'movement', smoothness: 'ssim' };

const [file] = process.argv.slice(2);
if (!file)
  throw new Error('usage: node scripts/ladder-tables.mjs FILE, a file of `warpmix bench ladder --json`');
const { table, adapter, date, command, rows } = JSON.parse(readFileSync(file, 'utf8'));
if (table !== 'ladder') throw new Error(`${file}: holds the table '${table}', expected 'ladder'`);

const digits = (value) =>
  value >= 100 ? value.toFixed(0) : value.toFixed(Math.max(0, 2 - Math.floor(Math.log10(value || 1))));

const pages = new Map();
for (const { case: name, ours } of rows) {
  if (!SIZED.test(ours.from)) continue;
  const page = PAGES[ours.family] ?? ours.family;
  const kernels = pages.get(page) ?? pages.set(page, new Map()).get(page);
  const rungs = kernels.get(name) ?? kernels.set(name, []).get(name);
  rungs.push(ours);
}

const preset = rows.map(({ ours }) => ours.from.split(', ')[1]).find(Boolean);
for (const [page, kernels] of pages) {
  const path = `docs/kernels/${page}.md`;
  if (!existsSync(path)) throw new Error(`${path} is missing; the family has no page`);
  const lines = [...kernels].map(([name, rungs]) => {
    const [kernel, ...params] = name.split(' ');
    const times = rungs.map(({ variant, ms, gain }, i) => {
      const text = `\`${variant.replace(' *', '')}\` ${digits(ms)}${i > 0 ? ` (× ${digits(gain)})` : ''}`;
      return variant.endsWith('*') ? `**${text}**` : text;
    });
    const run = rungs.find(({ variant }) => variant.endsWith('*')) ?? rungs.at(-1);
    const mark = run.from.startsWith('step of') ? '' : '†';
    return `| \`${kernel}\`${mark} ${params.join(' ')} | ${times.join(', ')} | ${(100 * run.share).toFixed(0)} % of ${run.bound === 'memory' ? 'copying' : 'multiply-adds'} |`;
  });
  const marked = lines.some((line) => line.includes('†'));
  const section = [
    BEGIN,
    '',
    '## Measured',
    '',
    `\`${command.replace(' --json', '')}\`, ${adapter}, ${date.slice(0, 10)}: the launch of a training step (${preset}) on which the`,
    'kernel spends most (parameters of 0 and 1 left out); the variants in turns, medians of three to seven; of one that takes twice the least, the better of',
    'two samples; in bold the one that the rule takes here, and its share of the limit.',
    '',
    '| kernel | ms, from naive to fast (times as fast as the first) | |',
    '| --- | --- | --- |',
    ...lines,
    '',
    ...(marked
      ? [
          '† In the photometric term of a training step, made of single kernels; training has it [fused](reprojection.md).',
          '',
        ]
      : []),
    END,
  ].join('\n');
  const text = readFileSync(path, 'utf8');
  const at = text.indexOf(BEGIN);
  const next =
    at < 0
      ? `${text.trimEnd()}\n\n${section}\n`
      : text.slice(0, at) + section + text.slice(text.indexOf(END, at) + END.length);
  writeFileSync(path, next);
}
console.log(`${rows.length} rungs, ${pages.size} pages`);
